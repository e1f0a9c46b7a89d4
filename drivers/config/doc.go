// Package config reads the configuration of the connections to etcd, SQL databases
// and MongoDB, and links none of their clients. Package drivers has the same names,
// and opens the connections; [github.com/holdfast-go/holdfast/drivers] describes the
// formats.
//
//	conf, err := config.Load("application.yaml")
//	if err != nil {
//		return err
//	}
//	db, err := postgres.Open(ctx, conf.SQL)
//
// It does not promise that a server answers, nor that a file exists: that shows on
// opening.
package config
