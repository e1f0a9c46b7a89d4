// Command quickstart shows on real servers what a locked repository is for.
//
// Several worker processes, as many pods of one service, import the same list
// of countries at the same time and then count the stock of a few products
// down and up by read-modify-write: first through a plain repository, which
// loses updates, then through a locked one, which does not. Both are done on a
// SQL database and on MongoDB.
//
//	go run ./examples/quickstart
//	go run ./examples/quickstart --workers 5 --ops 500
//	go run ./examples/quickstart --config my.yaml
//	go run ./examples/quickstart --readme README.md  # writes its table there
//
// Without --config it starts all servers itself in a temporary folder: etcd,
// SQLite, and a stand-in that speaks MongoDB's protocol. With it the servers
// of the file are used, in tables and collections whose names begin with
// holdfast_quickstart_ and which are dropped at the end. It exits with 1 when
// the locked repository loses an update.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/holdfast-go/holdfast/drivers"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if spec, ok := os.LookupEnv(jobVariable); ok {
		os.Exit(runWorker(ctx, spec))
	}
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		switch {
		case errors.Is(err, flag.ErrHelp):
			os.Exit(0)
		case ctx.Err() != nil:
			fmt.Fprintln(os.Stderr, "\nquickstart: interrupted; everything was stopped and removed")
		default:
			fmt.Fprintln(os.Stderr, "\nquickstart:", err)
		}
		os.Exit(1)
	}
}

// errLost is why the program fails when the lock does not do its work.
var errLost = errors.New("the locked repository lost updates")

func run(ctx context.Context, args []string, out, status io.Writer) (err error) {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(status)
	config := flags.String("config", "", "use the servers of this `file` instead of embedded ones")
	workers := flags.Int("workers", 3, "worker processes")
	ops := flags.Int("ops", 200, "stock movements per worker and round")
	readme := flags.String("readme", "", "write what was kept and lost into this `file`, between its marks")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *workers < 1 || *ops < 1 || flags.NArg() > 0 {
		return errors.New("--workers and --ops must be positive, and there are no other arguments")
	}
	if *readme != "" { // a page that cannot be written is told of before the rounds
		if _, _, err := aroundTable(*readme); err != nil {
			return err
		}
	}
	if *config == "" {
		fmt.Fprintln(status, "starting etcd, SQLite and a MongoDB stand-in in a temporary folder")
		s, err := startServers(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.stop()) }()
		*config = s.config
	}
	cfg, err := drivers.Load(*config)
	if err != nil {
		return err
	}
	rounds := plan(cfg, job{Config: *config, Ops: *ops}, *workers)
	if len(rounds) == 0 {
		return fmt.Errorf("%s names neither a SQL database nor a MongoDB", *config)
	}
	if err := runAll(ctx, cfg, rounds, status); err != nil {
		return err
	}
	if err := report(rounds, out); err != nil || *readme == "" {
		return err
	}
	return writeKept(*readme, rounds)
}

// plan lists the rounds: on each store that is configured both jobs, each
// without the lock and with it.
func plan(cfg drivers.Config, base job, workers int) []*round {
	var rounds []*round
	for _, store := range []string{onSQL, onMongo} {
		if store == onSQL && cfg.SQL.DSN == "" || store == onMongo && cfg.Mongo.URI == "" {
			continue
		}
		for _, kind := range []string{importing, stocktaking} {
			for _, locked := range []bool{false, true} {
				j := base
				j.Store, j.Kind, j.Locked = store, kind, locked
				rounds = append(rounds, &round{job: j, workers: workers})
			}
		}
	}
	return rounds
}

func runAll(ctx context.Context, cfg drivers.Config, rounds []*round, status io.Writer) error {
	dto, err := countryList()
	if err != nil {
		return err
	}
	total := 0
	for _, r := range rounds {
		total += r.total(len(dto.EntityList))
	}
	bar := progressbar.NewOptions(total, progressbar.OptionSetWriter(status), progressbar.OptionSetVisibility(isTerminal(status)),
		progressbar.OptionThrottle(50*time.Millisecond), progressbar.OptionShowCount(), progressbar.OptionSetWidth(30))
	defer func() { _ = bar.Finish() }()
	for _, r := range rounds {
		name := fmt.Sprintf("%-5s %-6s %-7s", r.Store, r.Kind, lockWord(r.Locked))
		bar.Describe(name)
		if !isTerminal(status) {
			fmt.Fprintln(status, name)
		}
		if err := r.run(ctx, cfg, func(n int) { _ = bar.Add(n) }); err != nil {
			return fmt.Errorf("%s, %s, %s: %w", r.Store, r.Kind, lockWord(r.Locked), err)
		}
	}
	return nil
}

// isTerminal tells whether a bar that paints over itself makes sense on w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func lockWord(locked bool) string {
	if locked {
		return "locked"
	}
	return "no lock"
}
