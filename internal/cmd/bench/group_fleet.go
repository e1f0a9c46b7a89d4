package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/samber/lo"
	"gorm.io/driver/postgres"

	"github.com/holdfast-go/holdfast/internal/cmd/internal/child"
	"github.com/holdfast-go/holdfast/lockedrepo"
)

const (
	fleetProcesses = 3
	fleetCallers   = 16 // of each process
	// fleetShortWindow is for other numbers of processes.
	fleetShortWindow = groupLongWindow / 2
)

// fleetJob tells a process of the fleet where to save what.
type fleetJob struct {
	Servers     servers
	Schema, Key string
	Others      int // rows that are not its own, which come first
}

// fleetWindow is what all processes do at once.
type fleetWindow struct {
	Way  int
	Time time.Duration
}

// saveAsChild prints that it is ready, and the calls of each window that it is asked
// for.
func saveAsChild(ctx context.Context, job fleetJob, in io.Reader, out io.Writer) (err error) {
	pool, err := postgresPool(job.Schema, &turns{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	db, err := openGORM(pool, postgres.New(postgres.Config{Conn: pool}))
	if err != nil {
		return err
	}
	m, err := newOurs(job.Servers)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeMember(ctx, m)) }()
	repos, err := newGroupRepos[article](db, m.locker, lockedrepo.Options{Key: job.Key})
	if err != nil {
		return err
	}
	ways := callsOf(repos.saves(), groupLists[article](load{fleetCallers, groupRows}, job.Others))
	for _, call := range ways { // makes the connections
		if _, err := callsFor(ctx, 0, fleetCallers, call); err != nil {
			return err
		}
	}
	asks, says := json.NewDecoder(in), json.NewEncoder(out)
	if err := says.Encode("ready"); err != nil {
		return err
	}
	for {
		var w fleetWindow
		if err := asks.Decode(&w); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		all, err := callsFor(ctx, w.Time, fleetCallers, ways[w.Way])
		if err != nil {
			return err
		}
		if err := says.Encode(all); err != nil {
			return err
		}
	}
}

// fleetMember is a process as this one sees it.
type fleetMember struct {
	*child.Process
	asks *json.Encoder
	says *json.Decoder
}

// fleetFigures are those of so many processes: a series for each way, without figures
// where it was not measured.
type fleetFigures struct {
	processes int
	got       []series
}

func fleetSizes() []int { return []int{1, 2, fleetProcesses, 4, 8} }

// fleetWays are measured with each number of processes. With those that there are goals
// about, all are.
func fleetWays() []int { return []int{gormQuick, lockedTogether} }

// ask returns the windows of a round.
func (f fleetFigures) ask(b *bench) []fleetWindow {
	ways, window := fleetWays(), fleetShortWindow
	if f.processes == fleetProcesses {
		ways, window = lo.Range(lockedTogether+1), groupLongWindow
	}
	return lo.Map(ways, func(way, _ int) fleetWindow { return fleetWindow{way, b.window(window)} })
}

// groupFleet measures processes that save rows of one type; it has no figures without a
// PostgreSQL.
func (b *bench) groupFleet(ctx context.Context) (got []fleetFigures, err error) {
	if groupPostgres().missing() {
		return nil, nil
	}
	s, err := groupPostgres().open(ctx, "")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeStore(ctx, s)) }()
	if err := groupTables(ctx, s.db); err != nil {
		return nil, err
	}
	fleet, end, err := startFleet(ctx, b.servers, s.schema)
	defer func() { err = errors.Join(err, end()) }()
	if err != nil {
		return nil, err
	}
	got = lo.Map(fleetSizes(), func(n, _ int) fleetFigures { return fleetFigures{n, make([]series, lockedTogether+1)} })
	for round := range b.rounds {
		b.say("group: round %d of %d, processes", round+1, b.rounds)
		for _, f := range got {
			err := each(f.ask(b), round, func(_ int, w fleetWindow) error {
				one, err := fleetSample(fleet[:f.processes], w)
				f.got[w.Way].add(one)
				return err
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return got, nil
}

// startFleet returns when all processes are ready. The function returned is never nil.
func startFleet(ctx context.Context, where servers, schema string) (fleet []fleetMember, end func() error, err error) {
	end = func() error {
		var errs []error
		for _, p := range fleet {
			errs = append(errs, p.End())
		}
		return errors.Join(errs...)
	}
	key := uniqueName("articles")
	for i := range lo.Max(fleetSizes()) {
		p, err := child.Start(ctx, saverRole, fleetJob{Servers: where, Schema: schema, Key: key, Others: i * fleetCallers * groupRows})
		if err != nil {
			return fleet, end, err
		}
		fleet = append(fleet, fleetMember{p, json.NewEncoder(p.In), json.NewDecoder(p.Out)})
	}
	for _, p := range fleet {
		var word string
		if err := p.says.Decode(&word); err != nil {
			return fleet, end, fmt.Errorf("starting a process: %w", err)
		}
	}
	return fleet, end, nil
}

// fleetSample puts the calls of all processes together.
func fleetSample(fleet []fleetMember, w fleetWindow) (sample, error) {
	for _, p := range fleet {
		if err := p.asks.Encode(w); err != nil {
			return noSample(), fmt.Errorf("asking a process: %w", err)
		}
	}
	var all []call
	for _, p := range fleet {
		var calls []call
		if err := p.says.Decode(&calls); err != nil {
			return noSample(), fmt.Errorf("hearing of a process: %w", err)
		}
		all = append(all, calls...)
	}
	return sampleOf(w.Time, len(fleet)*fleetCallers, all), nil
}
