// Package postgres opens PostgreSQL, and links no other database. Package drivers
// opens all that a configuration can name, at the price of a larger program.
//
//	conf, err := config.Load("application.yaml")
//	if err != nil {
//		return err
//	}
//	db, err := postgres.Open(ctx, conf.SQL)
//
// It does not promise more than [github.com/holdfast-go/holdfast/drivers] does.
package postgres
