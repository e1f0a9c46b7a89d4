package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/drivers"
)

// round is one job done by all workers together, and what came of it.
type round struct {
	job
	workers int

	acked      int
	lost       int
	duplicates int
	took       time.Duration
}

// total is how many operations the round does.
func (r *round) total(documents int) int {
	if r.Kind == importing {
		return r.workers * documents
	}
	return r.workers * r.Ops
}

// run empties the store, lets the workers loose and counts what is there.
func (r *round) run(ctx context.Context, cfg drivers.Config, step func(int)) (err error) {
	s, err := openStore(ctx, cfg, r.Store)
	if err != nil {
		return err
	}
	defer func() {
		ctx := context.WithoutCancel(ctx)
		err = errors.Join(err, s.drop(ctx), s.close(ctx))
	}()
	if err := s.fresh(ctx); err != nil {
		return err
	}
	if err := r.letLoose(ctx, step); err != nil {
		return err
	}
	return r.count(ctx, s)
}

// letLoose starts the workers, waits until all are connected, starts the work
// of all at once, and waits for their end.
func (r *round) letLoose(ctx context.Context, step func(int)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the workers that are left
	crew := make([]*worker, 0, r.workers)
	for range r.workers {
		w, err := startWorker(ctx, r.job)
		if err != nil {
			return err
		}
		defer w.wait()
		crew = append(crew, w)
	}
	for _, w := range crew {
		if line, err := w.next(); err != nil || !line.Ready {
			cancel()
			return fmt.Errorf("a worker did not come up: %w", w.why(line, err))
		}
	}
	begin := time.Now()
	errs := make([]error, len(crew))
	acked := make([]int, len(crew))
	var all sync.WaitGroup
	for i, w := range crew {
		all.Go(func() {
			if errs[i] = w.follow(func(n int) { acked[i] += n; step(n) }); errs[i] != nil {
				cancel()
			}
		})
	}
	all.Wait()
	r.took = time.Since(begin)
	for _, n := range acked {
		r.acked += n
	}
	return errors.Join(errs...)
}

// count compares what the workers were told is saved with what is there.
func (r *round) count(ctx context.Context, s *store) error {
	if r.Kind == importing {
		dto, err := countryList()
		if err != nil {
			return err
		}
		there, err := s.countries.Count(ctx)
		if err != nil {
			return err
		}
		want := int64(len(dto.EntityList))
		r.lost, r.duplicates = int(max(want-there, 0)), int(max(there-want, 0))
		return nil
	}
	stored, err := s.products.Find(ctx)
	if err != nil {
		return err
	}
	moves := 0
	for _, p := range stored {
		moves += int(p.Moves)
	}
	r.lost, r.duplicates = max(r.acked-moves, 0), max(moves-r.acked, 0)
	return nil
}

// worker is this program, started once more.
type worker struct {
	cmd   *exec.Cmd
	start io.WriteCloser
	lines *json.Decoder
}

func startWorker(ctx context.Context, j job) (*worker, error) {
	spec, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), jobVariable+"="+string(spec))
	cmd.Stderr = os.Stderr
	start, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting a worker: %w", err)
	}
	return &worker{cmd: cmd, start: start, lines: json.NewDecoder(out)}, nil
}

// follow gives the start and reads what the worker says until its end.
func (w *worker) follow(step func(int)) error {
	if _, err := io.WriteString(w.start, "go\n"); err != nil {
		return fmt.Errorf("starting the work of a worker: %w", err)
	}
	for {
		line, err := w.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil || line.Error != "" {
			return fmt.Errorf("a worker failed: %w", w.why(line, err))
		}
		step(line.Acked)
	}
}

func (w *worker) next() (progress, error) {
	var line progress
	err := w.lines.Decode(&line)
	return line, err
}

func (w *worker) why(line progress, err error) error {
	if line.Error != "" {
		return errors.New(line.Error)
	}
	return err
}

func (w *worker) wait() {
	_ = w.start.Close()
	_ = w.cmd.Wait() // its error was told on its output
}
