package main

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
)

// proxy is the wire between one worker and one server. It carries bytes until
// it is told to misbehave.
type proxy struct {
	listener net.Listener
	target   string
	wg       sync.WaitGroup

	mu     sync.Mutex
	closed bool
	links  map[*link]struct{}
	// open is closed while bytes may pass.
	open    chan struct{}
	stalled bool
	deaf    bool // answers are thrown away
	trap    trap
	caught  *link // by the trap's hold
	// hit tells of every request that the trap was sprung by.
	hit chan struct{}

	felt atomic.Int64 // what the faults did: bytes kept back, connections broken, traps sprung
}

// link is one connection.
type link struct {
	client, server net.Conn

	// Guarded by the proxy's lock.
	loses    bool     // the next answer, and itself with it
	deafened bool     // an answer is missing
	held     [][]byte // requests that wait for release
	holding  bool
	freed    chan struct{} // closed by release
	sent     bool
	answered chan struct{} // closed by the first answer after release, or the server's end
	answer   sync.Once
}

func startProxy(target string) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is closed by close
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: l, target: target, links: map[*link]struct{}{}, open: make(chan struct{}), hit: make(chan struct{}, 1)}
	close(p.open)
	p.wg.Go(p.accept)
	return p, nil
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		server, err := net.Dial("tcp", p.target) //nolint:noctx // on this machine: at once or never
		if err != nil {
			breakOff(client)
			continue
		}
		l := &link{client: client, server: server, freed: make(chan struct{}), answered: make(chan struct{})}
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			l.cut()
			return
		}
		p.links[l] = struct{}{}
		p.mu.Unlock()
		var both sync.WaitGroup
		both.Go(func() { p.carry(l, client, p.up) })
		both.Go(func() { p.carry(l, server, p.down) })
		p.wg.Go(func() {
			both.Wait()
			l.cut()
			p.mu.Lock()
			defer p.mu.Unlock()
			delete(p.links, l)
		})
	}
}

// carry passes on what from says until the link breaks.
func (p *proxy) carry(l *link, from net.Conn, pass func(*link, []byte) bool) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && !pass(l, buf[:n]) {
			l.cut()
			return
		}
		if err != nil {
			p.ended(l, from)
			return
		}
	}
}

// ended breaks the other side too, but for a server that must get a request
// after its client has left.
func (p *proxy) ended(l *link, from net.Conn) {
	p.mu.Lock()
	holding := l.holding
	p.mu.Unlock()
	switch {
	case holding && from == l.client:
		<-l.freed
		<-l.answered
	case holding:
		l.wasAnswered()
	}
	l.cut()
}

func (l *link) wasAnswered() { l.answer.Do(func() { close(l.answered) }) }

func (l *link) cut() {
	_ = l.client.Close()
	_ = l.server.Close()
}

// breakOff closes a connection in a way that the other side sees as an error.
func breakOff(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}

func (l *link) reset() {
	breakOff(l.client)
	breakOff(l.server)
}

// await blocks while the wire is cut.
func (p *proxy) await() {
	p.mu.Lock()
	open := p.open
	if p.stalled {
		p.felt.Add(1)
	}
	p.mu.Unlock()
	<-open
}

// up passes a request on, unless it springs the trap.
func (p *proxy) up(l *link, request []byte) bool {
	p.await()
	p.mu.Lock()
	if l.holding {
		l.held = append(l.held, bytes.Clone(request))
		p.mu.Unlock()
		return true
	}
	what := p.spring(request)
	switch what {
	case hold:
		l.holding, p.caught = true, l
		l.held = append(l.held, bytes.Clone(request))
		p.trap = trap{}
	case loseAnswer:
		l.loses = true
	case nothing, loseRequest:
	}
	p.mu.Unlock()
	switch what {
	case hold:
		return true
	case loseRequest:
		l.reset()
		return false
	case nothing, loseAnswer:
	}
	_, err := l.server.Write(request)
	return err == nil
}

// down passes an answer on.
func (p *proxy) down(l *link, answer []byte) bool {
	p.await()
	p.mu.Lock()
	if l.loses {
		p.mu.Unlock()
		l.reset()
		return false
	}
	if p.deaf {
		l.deafened = true
		p.felt.Add(1)
		p.mu.Unlock()
		return true
	}
	late := l.holding
	if late && l.sent {
		p.mu.Unlock()
		l.wasAnswered()
		return false // nobody waits for it
	}
	p.mu.Unlock()
	_, err := l.client.Write(answer)
	return err == nil
}
