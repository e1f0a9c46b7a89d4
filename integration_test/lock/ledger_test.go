package lock_test

import (
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"os"
)

const crowdProcesses = 3

// page is the content of a ledger.
type page struct {
	Visits      int64
	Process     int64 // who was here last
	Token, Turn int64
	Handovers   [crowdProcesses]int64 // how often each process took over from another
}

func (p *page) handovers() (n int64) {
	for _, to := range p.Handovers {
		n += to
	}
	return n
}

// ledger is a file that processes write while they hold the lock. Nothing but
// the lock keeps them apart: neither in the file, nor, for goroutines, in the
// fields, which the race detector watches.
type ledger struct {
	f    *os.File
	last page // as this process left it
}

func openLedger(path string) (*ledger, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return &ledger{f: f}, nil
}

func (l *ledger) read() (page, error) {
	var p page
	b := make([]byte, binary.Size(p))
	if _, err := l.f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return p, err
	}
	_, err := binary.Decode(b, binary.LittleEndian, &p)
	return p, err
}

var (
	errMet       = errors.New("two visits at the same time")
	errOvertaken = errors.New("a later turn was before")
)

// visit makes an entry, and fails with errMet if somebody else makes one
// meanwhile, or has undone one of this process, and with errOvertaken if tokens
// and turns did not grow.
func (l *ledger) visit(process int, token, turn int64) error {
	p, err := l.read()
	if err != nil {
		return err
	}
	undone := p.Visits < l.last.Visits
	overtaken := cmp.Or(cmp.Compare(p.Token, token), cmp.Compare(p.Turn, turn)) >= 0
	if p.Visits == 0 || p.Process != int64(process) {
		p.Handovers[process]++
	}
	p.Visits++
	p.Process, p.Token, p.Turn = int64(process), token, turn
	b, err := binary.Append(nil, binary.LittleEndian, &p)
	if err != nil {
		return err
	}
	if _, err := l.f.WriteAt(b, 0); err != nil {
		return err
	}
	l.last = p
	now, err := l.read()
	switch {
	case err != nil:
		return err
	case undone || now != p:
		return errMet
	case overtaken:
		return errOvertaken
	}
	return nil
}
