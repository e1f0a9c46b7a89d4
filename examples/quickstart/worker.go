package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/repo"
)

// job is what one worker process is told to do, in the variable jobVariable.
type job struct {
	Config string // the file with the servers' addresses
	Store  string
	Kind   string
	Locked bool
	Ops    int
}

const (
	jobVariable = "HOLDFAST_QUICKSTART_JOB"
	importing   = "import"
	stocktaking = "stock"

	// thinkTime is what a service does between reading and writing: a price
	// check, a call to another service.
	thinkTime = time.Millisecond
	// importChunk is how many countries one request carries.
	importChunk = 50
)

// progress is one line of a worker's output.
type progress struct {
	Ready bool   `json:",omitempty"`
	Acked int    `json:",omitempty"` // operations acknowledged since the last line
	Error string `json:",omitempty"`
}

// work is the life of a worker: connect, say so, wait for the start, work.
func work(ctx context.Context, spec string, start io.Reader, out io.Writer) (err error) {
	var j job
	if err := json.Unmarshal([]byte(spec), &j); err != nil {
		return fmt.Errorf("reading the job: %w", err)
	}
	cfg, err := drivers.Load(j.Config)
	if err != nil {
		return err
	}
	s, err := openStore(ctx, cfg, j.Store)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(context.WithoutCancel(ctx))) }()
	if j.Locked {
		if err := s.lock(ctx, cfg.Etcd); err != nil {
			return err
		}
	}
	lines := json.NewEncoder(out)
	if err := lines.Encode(progress{Ready: true}); err != nil {
		return err
	}
	if _, err := bufio.NewReader(start).ReadString('\n'); err != nil {
		return fmt.Errorf("waiting for the start: %w", err)
	}
	acked := func(n int) error { return lines.Encode(progress{Acked: n}) }
	if j.Kind == importing {
		return importCountries(ctx, s.countries, acked)
	}
	return takeStock(ctx, s, j.Ops, acked)
}

// importCountries saves the whole list, a few documents at a time.
func importCountries(ctx context.Context, r repo.Repository[Country], acked func(int) error) error {
	dto, err := countryList()
	if err != nil {
		return err
	}
	for docs := dto.EntityList; len(docs) > 0; {
		n := min(importChunk, len(docs))
		saved, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: docs[:n]})
		if err != nil {
			return fmt.Errorf("importing countries: %w", err)
		}
		if err := acked(len(saved)); err != nil {
			return err
		}
		docs = docs[n:]
	}
	return nil
}

// takeStock moves pieces of random products out and in again, one an operation.
func takeStock(ctx context.Context, s *store, ops int, acked func(int) error) error {
	for i := range ops {
		id := rand.Int64N(int64(len(startingStock()))) + 1
		delta := int64(1 - 2*(i%2))
		move := func(p *Product) error {
			select {
			case <-time.After(thinkTime):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			p.Stock += delta
			p.Moves++
			return nil
		}
		if err := s.update(ctx, id, move); err != nil {
			return fmt.Errorf("taking stock of product %d: %w", id, err)
		}
		if err := acked(1); err != nil {
			return err
		}
	}
	return nil
}

// runWorker is main of a worker process.
func runWorker(ctx context.Context, spec string) int {
	if err := work(ctx, spec, os.Stdin, os.Stdout); err != nil {
		_ = json.NewEncoder(os.Stdout).Encode(progress{Error: err.Error()})
		return 1
	}
	return 0
}
