// Package mongodb opens MongoDB, and links no other database. Package drivers opens
// all that a configuration can name, at the price of a larger program.
//
//	conf, err := config.Load("application.yaml")
//	if err != nil {
//		return err
//	}
//	client, err := mongodb.Open(ctx, conf.Mongo)
//
// It does not promise more than [github.com/holdfast-go/holdfast/drivers] does.
package mongodb
