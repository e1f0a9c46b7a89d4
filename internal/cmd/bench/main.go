// Command bench measures etcdlock and its peers: concurrency.Mutex and the
// lock service of etcd, and, where the variable REDIS_ADDR names a Redis,
// redsync and redislock. All are measured in one run, in turns, on an etcd
// that this program starts itself in a process of its own, on disk and with
// fsync. Only the ratios within one run mean something; another machine, or
// another load, has other figures.
//
// It also measures what the fence costs: saves with it and without it, on
// SQLite, on a stand-in for MongoDB, and on the PostgreSQL and the MySQL or
// MariaDB that POSTGRES_DSN and MYSQL_DSN name, in a schema and a database that
// it makes and drops. There it counts the round trips, too. And it measures what
// is left of that while an old snapshot keeps all versions of the fence's row.
//
// And it measures group commit: locked saves that are put together, against GORM
// without a lock and against GORM under other locks. And it measures many rows at once,
// without a lock: SaveAll and SmartSave against GORM and against statements by hand.
//
//	go run ./internal/cmd/bench                          # prints the figures
//	go run ./internal/cmd/bench -out docs/benchmarks.md  # writes them there, with plots
//	go run ./internal/cmd/bench -quick -only handover
//
// A goal that is missed is marked in the table; with -check it also makes the
// program exit with 1.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/internal/cmd/internal/child"
	"github.com/holdfast-go/holdfast/internal/cmd/internal/markdown"
)

func main() { os.Exit(child.Main("bench", run, roles())) }

// errMissed is why the program fails with -check.
var errMissed = errors.New("goals were missed, or could not be measured")

// Variables that name servers.
const (
	redisVariable    = "REDIS_ADDR"
	postgresVariable = "POSTGRES_DSN"
	mysqlVariable    = "MYSQL_DSN"
)

// config is what the flags say.
type config struct {
	quick, check, processes, brief bool
	rounds                         int
	only, out, dir                 string
	members                        []int
}

// scale shortens n for a quick run, but not below least.
func (c config) scale(n, least int) int {
	if c.quick {
		return max(n/10, least)
	}
	return n
}

func (c config) window(d time.Duration) time.Duration {
	if c.quick {
		return d / 10
	}
	return d
}

func parse(args []string, status io.Writer) (config, error) {
	var c config
	var members string
	names := make([]string, 0, len(works()))
	for _, w := range works() {
		names = append(names, w.name)
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(status)
	flags.Usage = func() {
		fmt.Fprintln(status, "Usage of bench:")
		flags.PrintDefaults()
		fmt.Fprintf(status, "The variables %s (a URL) and %s name servers; what needs one that is not named is left out,\n"+
			"or, with REQUIRE_BACKENDS=1, an error.\n", strings.Join([]string{redisVariable, postgresVariable}, ", "), mysqlVariable)
	}
	flags.BoolVar(&c.quick, "quick", false, "a tenth of everything, in one round: tells whether it runs, not how fast")
	flags.BoolVar(&c.check, "check", false, "exit with 1 when a goal is missed or could not be measured")
	flags.BoolVar(&c.processes, "processes", false, "make every contender of a handover a process instead of a client")
	flags.BoolVar(&c.brief, "brief", false, "leave out all peers but "+mutex)
	flags.IntVar(&c.rounds, "rounds", 0, "`rounds` to take the median of (default 5, or 1 with -quick)")
	flags.StringVar(&c.only, "only", "", "measure just this `work`: "+strings.Join(names, ", "))
	flags.StringVar(&c.out, "out", "", "write the figures into this Markdown `file`, and the plots next to it")
	flags.StringVar(&c.dir, "dir", "", "`folder` for etcd's data (default the system's for temporary files)")
	flags.StringVar(&members, "members", "1,3", "`sizes` of the etcd cluster")
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	for m := range strings.SplitSeq(members, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(m))
		if err != nil || n != 1 && n != 3 || slices.Contains(c.members, n) {
			return c, fmt.Errorf("-members is %q, want 1, 3 or 1,3", members)
		}
		c.members = append(c.members, n)
	}
	switch {
	case flags.NArg() > 0:
		return c, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case c.only != "" && !slices.Contains(names, c.only):
		return c, fmt.Errorf("-only is %q, want one of %s", c.only, strings.Join(names, ", "))
	case c.only != "" && c.out != "":
		return c, errors.New("-only with -out would drop the other works from the file")
	case c.brief && c.out != "":
		return c, errors.New("-brief with -out would drop the other peers from the file")
	case c.rounds < 0:
		return c, fmt.Errorf("-rounds is %d", c.rounds)
	}
	if c.rounds == 0 {
		c.rounds = 5
		if c.quick {
			c.rounds = 1
		}
	}
	return c, nil
}

func run(ctx context.Context, args []string, out, status io.Writer) error {
	c, err := parse(args, status)
	if err != nil {
		return err
	}
	if os.Getenv("REQUIRE_BACKENDS") == "1" {
		for _, name := range []string{redisVariable, postgresVariable, mysqlVariable} {
			if os.Getenv(name) == "" {
				return fmt.Errorf("%s is not set, and REQUIRE_BACKENDS=1 demands it", name)
			}
		}
	}
	addr := os.Getenv(redisVariable)
	var doc markdown.Document
	if c.out != "" { // a mistake here must be known before the minutes of measuring
		if doc, err = section.Open(c.out, "Benchmarks"); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp(c.dir, "holdfast-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	r := &report{}
	if r.facts, err = machineFacts(ctx, dir, addr, c); err != nil {
		return err
	}
	benches := lo.Map(c.members, func(n, i int) *bench {
		return &bench{config: c, report: r, members: n, servers: servers{Redis: addr}, first: i == 0}
	})
	p := newProgress(status, lo.SumBy(benches, func(b *bench) int { return len(b.planned()) }))
	defer p.clear()
	for _, b := range benches {
		b.progress = p
		if err := b.onCluster(ctx, dir); err != nil {
			return err
		}
	}
	if c.out == "" {
		fmt.Fprintln(out, section.Marked(r.text(c.quick)))
	} else if err := r.write(doc, c.quick); err != nil {
		return err
	}
	if c.check && !r.met() {
		return errMissed
	}
	return nil
}
