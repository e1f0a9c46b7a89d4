package integration_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers"
)

// fault is what a wire does with one message to the server.
type fault int

const (
	// loseReply lets the message through, and breaks the connection in place of
	// the reply.
	loseReply fault = iota
	// loseRequest breaks the connection in place of the message.
	loseRequest
	// holdReply lets the message through and never gives the reply.
	holdReply
	// holdRequest keeps the message and breaks the connection to the client
	// only; release lets it through.
	holdRequest
)

// wire is a TCP proxy in front of a database server that does one thing wrong.
type wire struct {
	addr, to string

	mu    sync.Mutex
	match func(message []byte) bool // nil when nothing goes wrong
	fault fault
	down  bool
	open  []*wired
	held  func() // lets through what holdRequest kept
	// struck gets a value when it happened.
	struck chan struct{}
}

// newWire starts a wire to the address.
func newWire(t *testing.T, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{addr: l.Addr().String(), to: to, struck: make(chan struct{}, 1)}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		w.mu.Lock()
		for _, c := range w.open {
			c.close()
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
			if w.isDown() {
				client.Close()
				continue
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				client.Close()
				continue
			}
			c := &wired{wire: w, client: client, server: server}
			w.mu.Lock()
			w.open = append(w.open, c)
			w.mu.Unlock()
			wg.Go(c.requests)
			wg.Go(c.replies)
		}
	})
	return w
}

// strike makes the next message that matches go wrong. With down, all new
// connections are refused from then on.
func (w *wire) strike(f fault, down bool, match func([]byte) bool) {
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

func (w *wire) isDown() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.down
}

func (w *wire) up() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = false
}

// release lets through what was kept.
func (w *wire) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held()
}

// wired is one connection.
type wired struct {
	*wire
	client, server net.Conn

	mu   sync.Mutex
	lose fault
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
		c.wire.mu.Lock()
		hit := c.match != nil && c.match(buffer[:n])
		what := c.fault
		if hit {
			c.match = nil
			message := append([]byte(nil), buffer[:n]...)
			c.held = func() { _, _ = c.server.Write(message); _ = c.server.(*net.TCPConn).CloseWrite() }
		}
		c.wire.mu.Unlock()
		if hit {
			c.mu.Lock()
			c.lost, c.lose = true, what
			c.mu.Unlock()
			switch what {
			case loseRequest:
				c.close()
			case holdRequest:
				c.client.Close()
			case loseReply, holdReply:
			}
			if what != loseReply && what != holdReply {
				c.struck <- struct{}{}
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
		case what == loseReply:
			c.close()
			c.struck <- struct{}{}
			return
		case what == holdReply:
			c.struck <- struct{}{}
			_, _ = io.Copy(io.Discard, c.server)
			return
		}
	}
}

// wiredDB opens the database of db, which is not SQLite, once more, through a
// wire.
func wiredDB(t *testing.T, db *gorm.DB) (*gorm.DB, *wire) {
	t.Helper()
	if db.Name() == drivers.MySQL {
		var name string
		must(t, db.Raw("SELECT DATABASE()").Scan(&name).Error)
		c, err := mysql.ParseDSN(requireEnv(t, "MYSQL_DSN"))
		must(t, err)
		w := newWire(t, c.Addr)
		c.DBName, c.Addr = name, w.addr
		return openSQL(t, drivers.SQLConfig{Dialect: drivers.MySQL, DSN: c.FormatDSN()}), w
	}
	var schema string
	must(t, db.Raw("SELECT current_schema()").Scan(&schema).Error)
	u, err := url.Parse(requireEnv(t, "POSTGRES_DSN"))
	must(t, err)
	w := newWire(t, u.Host)
	q := u.Query()
	q.Set("search_path", schema)
	u.Host, u.RawQuery = w.addr, q.Encode()
	return openSQL(t, drivers.SQLConfig{Dialect: drivers.Postgres, DSN: u.String()}), w
}
