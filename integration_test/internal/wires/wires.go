package wires

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
)

// Fault is what a wire does with one message to the server.
type Fault int

const (
	// LoseReply lets the message through, and breaks the connection in place of
	// the reply.
	LoseReply Fault = iota
	// LoseAll does the same and breaks all connections with it: the server could be
	// asked by one of them.
	LoseAll
	// LoseRequest breaks the connection in place of the message.
	LoseRequest
	// HoldReply lets the message through and never gives the reply.
	HoldReply
	// HoldRequest keeps the message and breaks the connection to the client
	// only; Release lets it through.
	HoldRequest
)

// Wire is a TCP proxy in front of a database server that does one thing wrong.
type Wire struct {
	// Struck gets a value when it happened.
	Struck chan struct{}

	addr, to string

	mu    sync.Mutex
	match func(message []byte) bool // nil when nothing goes wrong
	fault Fault
	down  bool
	open  []*wired
	held  func() // lets through what HoldRequest kept
}

// newWire starts a wire to the address.
func newWire(t *testing.T, to string) *Wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &Wire{addr: l.Addr().String(), to: to, Struck: make(chan struct{}, 1)}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		w.closeAll()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			if w.isDown() {
				client.Close()
				continue
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				client.Close()
				continue
			}
			c := &wired{Wire: w, client: client, server: server}
			w.mu.Lock()
			w.open = append(w.open, c)
			w.mu.Unlock()
			wg.Go(c.requests)
			wg.Go(c.replies)
		}
	})
	return w
}

// Strike makes the next message that matches go wrong. With down, all new
// connections are refused from then on.
func (w *Wire) Strike(f Fault, down bool, match func([]byte) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.match, w.fault = match, f
	w.down = false
	if down {
		w.match = func(m []byte) bool {
			if !match(m) {
				return false
			}
			w.down = true
			return true
		}
	}
}

func (w *Wire) closeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.open {
		c.close()
	}
}

func (w *Wire) isDown() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.down
}

// Up lets connections be made again.
func (w *Wire) Up() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = false
}

// Release lets through what was kept.
func (w *Wire) Release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held()
}

// wired is one connection.
type wired struct {
	*Wire
	client, server net.Conn

	mu   sync.Mutex
	lose Fault
	lost bool // the next reply is not given
}

func (c *wired) close() { c.client.Close(); c.server.Close() }

// requests pumps messages to the server. Drivers write a message at once, so it
// is read at once.
func (c *wired) requests() {
	buffer := make([]byte, 1<<20)
	for {
		n, err := c.client.Read(buffer)
		if err != nil {
			c.close()
			return
		}
		c.Wire.mu.Lock()
		hit := c.match != nil && c.match(buffer[:n])
		what := c.fault
		if hit {
			c.match = nil
			message := append([]byte(nil), buffer[:n]...)
			c.held = func() { _, _ = c.server.Write(message); _ = c.server.(*net.TCPConn).CloseWrite() }
		}
		c.Wire.mu.Unlock()
		if hit {
			c.mu.Lock()
			c.lost, c.lose = true, what
			c.mu.Unlock()
			switch what {
			case LoseRequest:
				c.close()
			case HoldRequest:
				c.client.Close()
			case LoseReply, LoseAll, HoldReply:
			}
			if what == LoseRequest || what == HoldRequest {
				c.Struck <- struct{}{}
				return
			}
		}
		if _, err := c.server.Write(buffer[:n]); err != nil {
			c.close()
			return
		}
	}
}

func (c *wired) replies() {
	buffer := make([]byte, 1<<20)
	for {
		n, err := c.server.Read(buffer)
		c.mu.Lock()
		lost, what := c.lost, c.lose
		c.mu.Unlock()
		switch {
		case err != nil:
			c.close()
			return
		case !lost:
			if _, err := c.client.Write(buffer[:n]); err != nil {
				c.close()
				return
			}
		case what == LoseReply, what == LoseAll:
			if what == LoseAll {
				c.closeAll()
			}
			c.close()
			c.Struck <- struct{}{}
			return
		case what == HoldReply:
			c.Struck <- struct{}{}
			_, _ = io.Copy(io.Discard, c.server)
			return
		}
	}
}

// Open opens the database of db, which is not SQLite, once more, through a
// wire.
func Open(t *testing.T, db *gorm.DB) (*gorm.DB, *Wire) {
	t.Helper()
	if db.Name() == drivers.MySQL {
		var name string
		check.Must(t, db.Raw("SELECT DATABASE()").Scan(&name).Error)
		c, err := mysql.ParseDSN(servers.RequireEnv(t, "MYSQL_DSN"))
		check.Must(t, err)
		w := newWire(t, c.Addr)
		c.DBName, c.Addr = name, w.addr
		return sqldb.Open(t, drivers.SQLConfig{Dialect: drivers.MySQL, DSN: c.FormatDSN()}), w
	}
	var schema string
	check.Must(t, db.Raw("SELECT current_schema()").Scan(&schema).Error)
	u, err := url.Parse(servers.RequireEnv(t, "POSTGRES_DSN"))
	check.Must(t, err)
	w := newWire(t, u.Host)
	q := u.Query()
	q.Set("search_path", schema)
	u.Host, u.RawQuery = w.addr, q.Encode()
	return sqldb.Open(t, drivers.SQLConfig{Dialect: drivers.Postgres, DSN: u.String()}), w
}
