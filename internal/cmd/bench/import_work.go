package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/samber/lo"
	"golang.org/x/sync/errgroup"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

const (
	importRows  = 20_000
	importChunk = 2000
	// importSavers are the goroutines of each Locker that save single rows meanwhile,
	// and importPause is between two saves of one of them.
	importSavers = 4
	importPause  = 20 * time.Millisecond
)

// imports measures an import in chunks, and what it does to single saves of two Lockers.
func (b *bench) imports(ctx context.Context) error {
	k, _ := lo.Find(storeKinds(), func(k storeKind) bool { return k.variable == postgresVariable })
	return b.withLocker(ctx, "import", func(l *etcdlock.Locker, dir string) error {
		var f importFigures
		if !k.missing() {
			if err := b.importOn(ctx, k, l, dir, &f); err != nil {
				return err
			}
		}
		b.reportImports(f)
		return nil
	})
}

// importFigures have a figure for each round.
type importFigures struct {
	alone, with []float64 // seconds of the import
	p99         []float64 // milliseconds of a single save meanwhile
	saves       []float64 // how many there were
}

func (b *bench) importOn(ctx context.Context, k storeKind, l *etcdlock.Locker, dir string, f *importFigures) (err error) {
	s, err := k.open(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore(ctx, s)) }()
	other, err := newOurs(b.servers)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeMember(ctx, other)) }()
	rows := lo.Flatten(groupLists[article](load{1, b.scale(importRows, 1000)}, 0))
	if err := errors.Join(s.db.AutoMigrate(&article{}), s.db.CreateInBatches(rows, 500).Error); err != nil {
		return err
	}
	key, repos := uniqueName("import"), make([]*lockedrepo.Repository[article], 2)
	for i, locker := range []*etcdlock.Locker{l, other.locker} {
		plain, err := gormrepo.New[article](s.db, nil)
		if err != nil {
			return err
		}
		if repos[i], err = lockedrepo.New(plain, locker, &lockedrepo.Options{Key: key}); err != nil {
			return err
		}
	}
	for round := range b.rounds {
		b.say("import: round %d of %d", round+1, b.rounds)
		if err := importRound(ctx, repos, rows, f); err != nil {
			return err
		}
	}
	return nil
}

func importRound(ctx context.Context, repos []*lockedrepo.Repository[article], rows []*article, f *importFigures) error {
	alone, err := importAll(ctx, repos[0], rows)
	if err != nil {
		return err
	}
	stop, end := context.WithCancel(ctx)
	defer end()
	took := make([][]time.Duration, len(repos)*importSavers)
	g, saving := errgroup.WithContext(ctx)
	for i := range took {
		g.Go(func() (err error) {
			took[i], err = savesUntil(saving, stop, repos[i%len(repos)], &article{ID: int64(len(rows) + i + 1)})
			return err
		})
	}
	with, err := importAll(ctx, repos[0], rows)
	end()
	if err := errors.Join(err, g.Wait()); err != nil {
		return err
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	f.alone, f.with = append(f.alone, alone.Seconds()), append(f.with, with.Seconds())
	f.saves = append(f.saves, float64(len(all)))
	f.p99 = append(f.p99, micros(all[(len(all)*99+99)/100-1])/1e3)
	return nil
}

// importAll changes all rows and imports them by documents.
func importAll(ctx context.Context, r *lockedrepo.Repository[article], rows []*article) (time.Duration, error) {
	dto := repo.SmartSaveDTO{EntityList: make([]string, len(rows))}
	for i, e := range rows {
		e.change()
		text, err := json.Marshal(e)
		if err != nil {
			return 0, err
		}
		dto.EntityList[i] = string(text)
	}
	began := time.Now()
	_, err := r.SmartSave(ctx, dto, repo.MaxDocuments(len(rows)), repo.Chunks(importChunk))
	return time.Since(began), err
}

// savesUntil saves one entity again and again, until stop ends.
func savesUntil(ctx, stop context.Context, r *lockedrepo.Repository[article], e *article) (took []time.Duration, err error) {
	e.Text = groupText()
	pause := time.NewTicker(importPause)
	defer pause.Stop()
	for {
		e.change()
		began := time.Now()
		if err := r.Save(ctx, e); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
		select {
		case <-stop.Done():
			return took, nil
		case <-pause.C:
		}
	}
}

// importSaves names the goal about them.
const importSaves = "p99 of single saves meanwhile"

func (b *bench) reportImports(f importFigures) {
	rows := b.scale(importRows, 1000)
	t := table{
		title: "An import with single saves", how: fmt.Sprintf(
			"`SmartSave` replaces %d existing rows on PostgreSQL, all of them changed, with `Chunks(%d)`. Meanwhile %d goroutines of each of two Lockers save a row of their own "+
				"of the same type every %v. Median of %s, least and greatest in brackets.", rows, importChunk, importSavers, importPause, plural(b.rounds, "round")),
		head: []string{"", "figure"},
		rows: [][]string{
			{"import alone, s", spread(f.alone)},
			{"import with saves, s", spread(f.with)},
			{"saves meanwhile", spread(f.saves)},
			{"p99 of these saves, ms", spread(f.p99)},
		},
	}
	b.table(t)
	why := postgresVariable + " was not set"
	b.goal(goal{what: fmt.Sprintf("import of %d rows in chunks with single saves", rows), against: "the same alone", most: 1.3, unit: "x", got: ratios(f.with, f.alone), why: why})
	b.goal(goal{what: importSaves, against: "", most: 150, unit: " ms", got: f.p99, why: why})
}
