// Package etcd opens an etcd client that the locks can rely on, and links no
// database. Package drivers opens all that a configuration can name, at the price of
// a larger program.
//
//	conf, err := config.Load("application.yaml")
//	if err != nil {
//		return err
//	}
//	client, err := etcd.Open(ctx, conf.Etcd)
//
// It does not promise more than [github.com/holdfast-go/holdfast/drivers] does.
package etcd
