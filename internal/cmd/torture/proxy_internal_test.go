package main

import (
	"io"
	"net"
	"testing"
)

// echo is a server that repeats what it gets and tells what it got.
func echo(t *testing.T) (addr string, got chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	got = make(chan string, 100)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 100)
				for {
					n, err := c.Read(buf)
					if err != nil {
						return
					}
					got <- string(buf[:n])
					_, _ = c.Write(buf[:n])
				}
			}()
		}
	}()
	return l.Addr().String(), got
}

func proxied(t *testing.T) (p *proxy, dial func() net.Conn, got chan string) {
	t.Helper()
	addr, got := echo(t)
	p, err := startProxy(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	return p, func() net.Conn {
		c, err := net.Dial("tcp", p.addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}, got
}

func say(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if _, err := c.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, c net.Conn, want string) {
	t.Helper()
	buf := make([]byte, len(want))
	if _, err := io.ReadFull(c, buf); err != nil || string(buf) != want {
		t.Fatalf("got %q, %v, want %q", buf, err, want)
	}
}

func hearBreak(t *testing.T, c net.Conn) {
	t.Helper()
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Fatalf("got %d bytes, want a broken connection", n)
	}
}

func TestProxyCutWire(t *testing.T) {
	p, dial, got := proxied(t)
	c := dial()
	say(t, c, "a")
	hear(t, c, "a")
	<-got
	p.cutWire()
	say(t, c, "b")
	select {
	case s := <-got:
		t.Fatalf("%q went through a wire that is cut", s)
	default:
	}
	p.heal()
	hear(t, c, "b")
}

func TestProxyDeafen(t *testing.T) {
	p, dial, got := proxied(t)
	c := dial()
	p.deafen()
	say(t, c, "a")
	if s := <-got; s != "a" {
		t.Fatalf("the server got %q", s)
	}
	for p.felt.Load() == 0 { // until the answer is thrown away
		continue
	}
	p.heal()
	hearBreak(t, c)
	c = dial()
	say(t, c, "b")
	hear(t, c, "b")
}

func TestProxyTraps(t *testing.T) {
	p, dial, got := proxied(t)
	p.set(func() deed { return loseRequest }, sign{"commit"})
	c := dial()
	say(t, c, "begin")
	hear(t, c, "begin")
	<-got
	say(t, c, "COMMIT")
	hearBreak(t, c)
	if len(got) > 0 {
		t.Fatalf("the server got %q", <-got)
	}
	p.set(func() deed { return loseAnswer }, sign{"commit"})
	c = dial()
	say(t, c, "COMMIT")
	if s := <-got; s != "COMMIT" {
		t.Fatalf("the server got %q", s)
	}
	hearBreak(t, c)
	if n := p.felt.Load(); n != 2 {
		t.Errorf("felt %d, want 2", n)
	}
}

// What is held reaches the server after its client has gone.
func TestProxyHold(t *testing.T) {
	p, dial, got := proxied(t)
	p.set(func() deed { return hold }, sign{"commit"})
	c := dial()
	say(t, c, "COMMIT")
	<-p.hit
	c.Close()
	other := dial()
	say(t, other, "commit too") // the trap catches one
	hear(t, other, "commit too")
	if s := <-got; s != "commit too" {
		t.Fatalf("the server got %q", s)
	}
	answered, caught := p.release()
	if !caught {
		t.Fatal("nothing was caught")
	}
	<-answered
	if s := <-got; s != "COMMIT" {
		t.Fatalf("the server got %q", s)
	}
	if _, caught := p.release(); caught {
		t.Error("it was caught twice")
	}
}

func TestProxyReset(t *testing.T) {
	p, dial, _ := proxied(t)
	c := dial()
	say(t, c, "a")
	hear(t, c, "a")
	p.resetAll()
	hearBreak(t, c)
}
