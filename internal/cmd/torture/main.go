// Command torture tries to make Holdfast lose an update or a save. Worker
// processes read, change and write the same records under one lock, and save
// together what they have not read, on PostgreSQL, MariaDB, SQLite and a
// stand-in for MongoDB, while this program does to them what happens to
// services: it stops and kills them, revokes their leases, kills, stops and
// cuts off etcd, and loses commits on the wire. In the end it compares what was
// acknowledged with what is stored. Weaker designs stand next to Holdfast where
// they must lose, so that a fault that does nothing is noticed.
//
//	go run ./internal/cmd/torture                        # everything, more than half an hour
//	go run ./internal/cmd/torture -short                 # less than 90 seconds
//	go run ./internal/cmd/torture -store sqlite -fault signature
//	go run ./internal/cmd/torture -out docs/torture.md   # writes the table there
//
// The stores are those that POSTGRES_DSN and MYSQL_DSN name, and two that need
// nothing. With REQUIRE_BACKENDS=1 a missing one is an error.
//
// It exits with 1 when Holdfast has lost an acknowledged update or save, made
// one twice or in part, kept a refused one, or refused one without a documented reason; when a weaker design that
// must lose lost none; and when a fault was not felt.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/internal/cmd/internal/child"
	"github.com/holdfast-go/holdfast/internal/cmd/internal/markdown"
)

func main() { os.Exit(code()) }

func code() int { return child.Main("torture", run, roles()) }

// config is what the flags say.
type config struct {
	short                bool
	store, fault, design string
	duration             time.Duration
	seed                 uint64
	out, dir             string
}

func parse(args []string, status io.Writer) (config, error) {
	var c config
	names := make([]string, 0, len(faults()))
	for _, f := range faults() {
		names = append(names, f.name)
	}
	flags := flag.NewFlagSet("torture", flag.ContinueOnError)
	flags.SetOutput(status)
	flags.BoolVar(&c.short, "short", false, "a few faults, once each, in less than 90 seconds")
	flags.StringVar(&c.store, "store", "", "only this `store`: "+strings.Join(allStores, ", "))
	flags.StringVar(&c.fault, "fault", "", "only this `fault`: "+strings.Join(names, ", "))
	flags.StringVar(&c.design, "design", "", "only this `design`: "+strings.Join(allDesigns, ", "))
	flags.DurationVar(&c.duration, "duration", 20*time.Minute, "how `long` all of it takes; each fault comes at least once")
	flags.Uint64Var(&c.seed, "seed", 0, "draw lots from this `number` (default: another one each time)")
	flags.StringVar(&c.out, "out", "", "write the table into this Markdown `file`, and a drawing next to it")
	flags.StringVar(&c.dir, "dir", "", "`folder` for databases and for the histories of what went wrong (default the system's for temporary files)")
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	for _, choice := range []struct {
		flag, value string
		of          []string
	}{{"store", c.store, allStores}, {"fault", c.fault, names}, {"design", c.design, allDesigns}} {
		if choice.value != "" && !slices.Contains(choice.of, choice.value) {
			return c, fmt.Errorf("-%s is %q, want one of %s", choice.flag, choice.value, strings.Join(choice.of, ", "))
		}
	}
	switch {
	case flags.NArg() > 0:
		return c, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case c.out != "" && (c.short || c.store+c.fault+c.design != ""):
		return c, errors.New("-out is for a run of everything")
	case c.duration <= 0:
		return c, fmt.Errorf("-duration is %v", c.duration)
	}
	if c.seed == 0 {
		c.seed = uint64(time.Now().UnixNano()) % 1e9
	}
	return c, nil
}

// errFailed is why the program exits with 1.
var errFailed = errors.New("something is wrong, see above")

func run(ctx context.Context, args []string, out, status io.Writer) error {
	c, err := parse(args, status)
	if err != nil {
		return err
	}
	var doc markdown.Document
	if c.out != "" { // a mistake here must be known before the minutes of running
		if doc, err = section.Open(c.out, "Torture"); err != nil {
			return err
		}
	}
	k, err := newCampaign(ctx, c, status)
	if err != nil {
		return err
	}
	defer k.close()
	results, err := k.run(ctx)
	s := summary{seed: c.seed, full: k.full(), results: results, left: k.left, took: time.Since(k.begun)}
	fmt.Fprint(out, s.text())
	if err != nil {
		return err
	}
	if c.out != "" {
		if err := s.write(doc); err != nil {
			return err
		}
	}
	if len(s.missed()) > 0 {
		return errFailed
	}
	return nil
}
