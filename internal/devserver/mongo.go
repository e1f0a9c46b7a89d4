package devserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"github.com/FerretDB/FerretDB/ferretdb"
)

// anyPort lets the system choose; these servers are never restarted.
const anyPort = "127.0.0.1:0"

// MongoOptions changes how [StartMongo] runs the server. Nil means the
// defaults.
type MongoOptions struct {
	// Log receives the server's log. Nil discards it.
	Log io.Writer
}

// Mongo is the running MongoDB stand-in: FerretDB on SQLite files behind a
// proxy that lets one command through at a time.
//
// FerretDB v1 does an update as a read, a change in memory and a write, so two
// clients lose each other's updates. One command at a time makes every command
// atomic, which is what MongoDB promises for a single document. A command that
// MongoDB would not make atomic (an update of many documents) is atomic here
// too; no test may lean on that.
type Mongo struct {
	serial, raw *front
	stop        func()
	closeOnce   sync.Once
}

// StartMongo starts the stand-in with its files below dir, which must exist,
// and returns once it accepts connections. The data is written without fsync.
// On an error nothing keeps running.
func StartMongo(ctx context.Context, dir string, opts *MongoOptions) (*Mongo, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("devserver: starting the mongodb stand-in: %w", context.Cause(ctx))
	}
	m, err := startMongo(dir, opts)
	if err != nil {
		return nil, fmt.Errorf("devserver: starting the mongodb stand-in: %w", err)
	}
	return m, nil
}

func startMongo(dir string, opts *MongoOptions) (*Mongo, error) {
	log := slog.New(slog.DiscardHandler)
	if opts != nil && opts.Log != nil {
		log = slog.New(slog.NewTextHandler(opts.Log, nil))
	}
	data, err := os.MkdirTemp(dir, "mongo-")
	if err != nil {
		return nil, err
	}
	db, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: anyPort},
		Logger:    log,
		Handler:   "sqlite",
		SQLiteURL: "file:" + filepath.ToSlash(data) + "/?_pragma=synchronous(off)",
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = db.Run(ctx) }) // it never returns an error
	m := &Mongo{stop: func() {
		cancel()
		running.Wait()
	}}
	if err := m.openFronts(db.MongoDBURI()); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

func (m *Mongo) openFronts(uri string) error {
	u, err := url.Parse(uri)
	if err != nil {
		return err
	}
	s := &serializer{target: u.Host}
	if m.serial, err = openFront(anyPort, u.Host, s.serve); err != nil {
		return err
	}
	m.raw, err = openFront(anyPort, u.Host, relay)
	return err
}

// MongoURI returns the address of the stand-in. Use this one.
func (m *Mongo) MongoURI() string { return uriOf(m.serial) }

// RawURI returns the address of the same data without the proxy. It loses
// concurrent updates and exists to show just that.
func (m *Mongo) RawURI() string { return uriOf(m.raw) }

func uriOf(f *front) string {
	return (&url.URL{Scheme: "mongodb", Host: f.listener.Addr().String(), Path: "/"}).String()
}

// Close breaks all connections and ends the server. A command that is running
// finishes, but its client gets no reply. The files stay. A second call does
// nothing.
func (m *Mongo) Close() error {
	m.closeOnce.Do(func() {
		// The connections first: the server would give them some seconds to
		// leave by themselves.
		for _, f := range []*front{m.serial, m.raw} {
			if f != nil {
				f.close()
			}
		}
		m.stop()
	})
	return nil
}
