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
}

// startServers starts etcd in a temporary folder. SQLite needs no server: each pod opens
// the file.
func startServers(ctx context.Context) (*servers, error) {
	dir, err := os.MkdirTemp("", "holdfast-orders-")
	if err != nil {
		return nil, err
	}
	s := &servers{dir: dir, config: filepath.Join(dir, "holdfast.yaml")}
	if s.etcd, err = devserver.StartEtcd(ctx, dir, nil); err != nil {
		return nil, errors.Join(fmt.Errorf("starting etcd: %w", err), os.RemoveAll(dir))
	}
	if err := writeConfig(s.config, s.etcd.Endpoints(), "sqlite", filepath.Join(dir, "orders.db")); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// writeConfig writes the file from which pods get the addresses of the servers.
func writeConfig(name string, etcd []string, dialect, dsn string) error {
	yaml := fmt.Sprintf("etcd:\n  endpoints: [%s]\nsql:\n  dialect: %s\n  dsn: '%s'\n", strings.Join(etcd, ", "), dialect, dsn)
	return os.WriteFile(name, []byte(yaml), 0o600) //nolint:gosec // G703: the name is in a folder that the program has made
}

// stop ends the servers and removes their folder.
func (s *servers) stop() error { return errors.Join(s.etcd.Close(), os.RemoveAll(s.dir)) }
