package main

import "bytes"

// deed is what a trap does with a request.
type deed int

const (
	nothing deed = iota
	// loseRequest breaks the connection instead of passing the request on.
	loseRequest
	// loseAnswer passes it on and breaks the connection when the answer comes.
	loseAnswer
	// hold keeps the request, and what follows on its connection, until
	// release, and does not tell the server when the client gives up.
	hold
)

// trap waits for a request that contains all words of one of its signs.
type trap struct {
	signs []sign
	deed  func() deed
}

// sign is words in lower case.
type sign []string

func (s sign) in(lower []byte) bool {
	for _, word := range s {
		if !bytes.Contains(lower, []byte(word)) {
			return false
		}
	}
	return true
}

// spring returns what the trap does with the request.
func (p *proxy) spring(request []byte) deed {
	if p.trap.deed == nil {
		return nothing
	}
	lower := bytes.ToLower(request)
	for _, s := range p.trap.signs {
		if !s.in(lower) {
			continue
		}
		what := p.trap.deed()
		if what != nothing {
			p.felt.Add(1)
			select {
			case p.hit <- struct{}{}:
			default:
			}
		}
		return what
	}
	return nothing
}

// cutWire keeps all bytes back, of connections to come too, as a network does
// that has lost its way; they arrive after heal.
func (p *proxy) cutWire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stalled {
		p.stalled, p.open = true, make(chan struct{})
	}
}

// deafen throws answers away while requests pass.
func (p *proxy) deafen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaf = true
}

// heal ends cutWire, deafen and the trap. Connections that miss an answer are
// broken, because TCP would never go on without it.
func (p *proxy) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stalled {
		p.stalled = false
		close(p.open)
	}
	p.deaf, p.trap = false, trap{}
	for l := range p.links {
		if l.deafened {
			l.reset()
		}
	}
}

// resetAll breaks every connection.
func (p *proxy) resetAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		p.felt.Add(1)
		l.reset()
	}
}

// set makes a trap.
func (p *proxy) set(do func() deed, signs ...sign) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trap = trap{signs, do}
}

// release lets what hold has caught go to the server, long after its client
// gave it up, and returns a channel that is closed when the server has
// answered or hung up. It reports false when nothing was caught.
func (p *proxy) release() (<-chan struct{}, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trap = trap{}
	l := p.caught
	if l == nil {
		return nil, false
	}
	p.caught = nil
	l.sent = true
	for _, request := range l.held {
		if _, err := l.server.Write(request); err != nil {
			l.wasAnswered()
			break
		}
	}
	l.held = nil
	close(l.freed)
	return l.answered, true
}

func (p *proxy) close() {
	p.mu.Lock()
	p.closed = true
	_ = p.listener.Close()
	if p.stalled {
		p.stalled = false
		close(p.open)
	}
	links := make([]*link, 0, len(p.links))
	for l := range p.links {
		links = append(links, l)
	}
	p.mu.Unlock()
	p.release()
	for _, l := range links {
		l.cut()
	}
	p.wg.Wait()
}
