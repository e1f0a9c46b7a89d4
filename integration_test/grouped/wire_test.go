package grouped_test

import (
	"bytes"
	"context"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers/config"
	mysqldriver "github.com/holdfast-go/holdfast/drivers/mysql"
	"github.com/holdfast-go/holdfast/drivers/postgres"
)

// wire is a TCP proxy in front of a database server that loses the reply to one commit.
type wire struct {
	addr, to string

	mu sync.Mutex
	// armed loses the next one, and with stay no connection is made afterwards.
	armed, stay, down bool
	open              []net.Conn
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w := &wire{addr: l.Addr().String(), to: to}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		w.mu.Lock()
		for _, c := range w.open {
			c.Close()
		}
		w.mu.Unlock()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { w.connect(client) })
		}
	})
	return w
}

func (w *wire) arm(stay bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed, w.stay = true, stay
}

// struck tells whether the reply that was to be lost was.
func (w *wire) struck() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.armed
}

// connect pumps a connection's messages until it ends.
func (w *wire) connect(client net.Conn) {
	defer client.Close()
	w.mu.Lock()
	down := w.down
	w.mu.Unlock()
	if down {
		return
	}
	server, err := net.Dial("tcp", w.to)
	if err != nil {
		return
	}
	defer server.Close()
	w.mu.Lock()
	w.open = append(w.open, client, server)
	w.mu.Unlock()
	var lost sync.Once
	losing := make(chan struct{})
	var replies sync.WaitGroup
	replies.Go(func() {
		defer client.Close()
		pump(server, client, func([]byte) bool {
			select {
			case <-losing:
				w.cut()
				return false
			default:
				return true
			}
		})
	})
	pump(client, server, func(message []byte) bool {
		if w.strikes(message) {
			lost.Do(func() { close(losing) })
		}
		return true
	})
	server.Close()
	replies.Wait()
}

// cut ends the other connections, too, where none is to be made afterwards: the server could
// be asked by one of them.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.down {
		return
	}
	for _, c := range w.open {
		c.Close()
	}
}

// strikes tells whether the reply to the message is to be lost.
func (w *wire) strikes(message []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	lower := bytes.ToLower(message)
	commits := bytes.Contains(lower, []byte("commit\x00")) || bytes.HasSuffix(lower, []byte("commit")) || bytes.Contains(lower, []byte("set autocommit = 1"))
	if !w.armed || !commits {
		return false
	}
	w.armed, w.down = false, w.stay
	return true
}

// pump copies messages, which drivers write at once, while good says so.
func pump(from, to net.Conn, good func([]byte) bool) {
	buffer := make([]byte, 1<<20)
	for {
		n, err := from.Read(buffer)
		if err != nil || !good(buffer[:n]) {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// wired opens the database of db, which is on a server, once more, through a wire.
func wired(ctx context.Context, t *testing.T, db *gorm.DB) (*gorm.DB, *wire) {
	t.Helper()
	var name string
	if db.Name() == config.MySQL {
		must(t, db.Raw("SELECT DATABASE()").Scan(&name).Error)
		c, err := mysql.ParseDSN(requireEnv(t, "MYSQL_DSN"))
		must(t, err)
		w := newWire(t, c.Addr)
		c.DBName, c.Addr = name, w.addr
		return open(ctx, t, mysqldriver.Open, config.MySQL, c.FormatDSN()), w
	}
	must(t, db.Raw("SELECT current_schema()").Scan(&name).Error)
	u, err := url.Parse(requireEnv(t, "POSTGRES_DSN"))
	must(t, err)
	w := newWire(t, u.Host)
	q := u.Query()
	q.Set("search_path", name)
	u.Host, u.RawQuery = w.addr, q.Encode()
	return open(ctx, t, postgres.Open, config.Postgres, u.String()), w
}
