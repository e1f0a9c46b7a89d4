package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/holdfast-go/holdfast/internal/devserver"
)

// servers are the embedded ones, and the file that tells their addresses.
type servers struct {
	dir    string
	config string
	etcd   *devserver.Etcd
	mongo  *devserver.Mongo
}

// startServers starts etcd and the MongoDB stand-in in a temporary folder.
// SQLite needs no server: each process opens the file.
func startServers(ctx context.Context) (s *servers, err error) {
	dir, err := os.MkdirTemp("", "holdfast-quickstart-")
	if err != nil {
		return nil, err
	}
	s = &servers{dir: dir, config: filepath.Join(dir, "holdfast.yaml")}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	etcd, mongo := filepath.Join(dir, "etcd"), filepath.Join(dir, "mongo")
	for _, d := range []string{etcd, mongo} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return s, err
		}
	}
	if s.etcd, err = devserver.StartEtcd(ctx, etcd, nil); err != nil {
		return s, fmt.Errorf("starting etcd: %w", err)
	}
	if s.mongo, err = devserver.StartMongo(ctx, mongo, nil); err != nil {
		return s, fmt.Errorf("starting the MongoDB stand-in: %w", err)
	}
	// The workers get their addresses as a service does: from a file.
	yaml := fmt.Sprintf("etcd:\n  endpoints: [%s]\nsql:\n  dialect: sqlite\n  dsn: '%s'\nmongo:\n  uri: %s\n  database: quickstart\n",
		strings.Join(s.etcd.Endpoints(), ", "), filepath.Join(dir, "shop.db"), s.mongo.MongoURI())
	return s, os.WriteFile(s.config, []byte(yaml), 0o600)
}

// stop ends the servers and removes their folder.
func (s *servers) stop() error {
	var failed []error
	if s.mongo != nil {
		failed = append(failed, s.mongo.Close())
	}
	if s.etcd != nil {
		failed = append(failed, s.etcd.Close())
	}
	return errors.Join(append(failed, os.RemoveAll(s.dir))...)
}
