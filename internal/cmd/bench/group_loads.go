package main

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/samber/lo"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/lockedrepo"
)

// article is what is saved. The table refuses a negative N.
type article struct {
	ID   int64 `gorm:"primaryKey;autoIncrement:false"`
	N    int64 `gorm:"check:articles_n,n >= 0"`
	Text string
}

func (a *article) number(id int64) { a.ID, a.Text = id, groupText() }
func (a *article) change()         { a.N++ }
func (a *article) id() int64       { return a.ID }
func (a *article) count() int64    { return a.N }

// striped is an article of a type that has stripes.
type striped struct {
	ID   int64 `gorm:"primaryKey;autoIncrement:false"`
	N    int64
	Text string
}

func (*striped) TableName() string { return "striped_articles" }
func (s *striped) number(id int64) { s.ID, s.Text = id, groupText() }
func (s *striped) change()         { s.N++ }
func (s *striped) id() int64       { return s.ID }
func (s *striped) count() int64    { return s.N }

// hooked is an article with a hook, which keeps several of them out of one plain
// statement.
type hooked struct {
	ID   int64 `gorm:"primaryKey;autoIncrement:false"`
	N    int64
	Text string
}

func (*hooked) TableName() string           { return "hooked_articles" }
func (h *hooked) number(id int64)           { h.ID, h.Text = id, groupText() }
func (h *hooked) change()                   { h.N++ }
func (h *hooked) id() int64                 { return h.ID }
func (h *hooked) count() int64              { return h.N }
func (h *hooked) BeforeSave(*gorm.DB) error { h.N++; return nil } //nolint:unparam // as GORM wants it

func groupText() string { return strings.Repeat("some text ", 10) }

// groupEntity is saved again and again, changed.
type groupEntity[T any] interface {
	*T
	number(id int64)
	change()
	id() int64
	count() int64
}

// Kinds of loads.
const (
	plainSaves   = ""
	hookedSaves  = "a BeforeSave hook"
	groupedEdits = "`Update`"
	stripedEdits = "`Update` on 16 stripes"
	refusedSaves = "1 % refused"
)

// groupLoad is who saves what, and how.
type groupLoad struct {
	load
	kind string
	ways []groupCall // nil where there is no such way
}

func (g groupLoad) title() string { return groupTitle(g.load, g.kind) }

func groupTitle(of load, kind string) string {
	if kind == plainSaves {
		return of.String()
	}
	return of.String() + ", " + kind
}

// groupLoads makes the tables, the rows and all loads.
func groupLoads(ctx context.Context, s *store, l *etcdlock.Locker) ([]groupLoad, error) {
	if err := groupTables(ctx, s.db); err != nil {
		return nil, err
	}
	articles, err := newGroupRepos[article](s.db, l, lockedrepo.Options{Key: uniqueName("articles")})
	if err != nil {
		return nil, err
	}
	hookeds, err := newGroupRepos[hooked](s.db, l, lockedrepo.Options{Key: uniqueName("hooked")})
	if err != nil {
		return nil, err
	}
	stripeds, err := newGroupRepos[striped](s.db, l, lockedrepo.Options{Key: uniqueName("striped"), Stripes: lockedrepo.ByID(16)})
	if err != nil {
		return nil, err
	}
	var all []groupLoad
	for _, rows := range []int{1, groupRows} {
		for _, callers := range groupCrowds() {
			of := load{callers, rows}
			all = append(all, groupLoad{of, plainSaves, callsOf(articles.saves(), groupLists[article](of, 0))})
		}
	}
	if s.schema != "" { // PostgreSQL
		more, err := largeLoads(ctx, s.db, articles)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	many, ones := load{groupCallers, groupRows}, load{groupCallers, 1}
	lists := groupLists[article](many, 0)
	return append(all,
		groupLoad{many, hookedSaves, callsOf(hookeds.saves(), groupLists[hooked](many, 0))},
		groupLoad{many, refusedSaves, callsOf(lo.Map(articles.saves(), func(save saveFunc[article], _ int) saveFunc[article] { return refusedAtTimes(save) }), lists)},
		groupLoad{ones, groupedEdits, callsOf(groupUpdates(articles), groupLists[article](ones, 0))},
		groupLoad{ones, stripedEdits, callsOf(groupUpdates(stripeds), groupLists[striped](ones, 0))},
	), nil
}

// largeLoads save more rows than the others, and make those that are missing.
func largeLoads(ctx context.Context, db *gorm.DB, articles groupRepos[article]) ([]groupLoad, error) {
	sizes := lo.Filter(groupSizes(), func(rows, _ int) bool { return rows > groupRows })
	rows := lo.Flatten(groupLists[article](load{groupCallers, lo.Max(sizes)}, 0))
	if err := db.WithContext(ctx).Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(rows, 500).Error; err != nil {
		return nil, err
	}
	return lo.Map(sizes, func(rows, _ int) groupLoad {
		of := load{groupCallers, rows}
		return groupLoad{of, plainSaves, callsOf(articles.saves(), groupLists[article](of, 0))}
	}), nil
}

// groupTables makes the tables and all rows that any load saves.
func groupTables(ctx context.Context, db *gorm.DB) error {
	db = db.WithContext(ctx)
	if err := db.AutoMigrate(&article{}, &hooked{}, &striped{}); err != nil {
		return err
	}
	most := load{lo.Max(groupCrowds()), groupRows}
	return errors.Join(
		db.CreateInBatches(lo.Flatten(groupLists[article](most, 0)), 500).Error,
		db.CreateInBatches(lo.Flatten(groupLists[hooked](most, 0)), 500).Error,
		db.CreateInBatches(lo.Flatten(groupLists[striped](most, 0)), 500).Error,
	)
}

// groupLists gives each caller rows of its own; ids begin after those that are given
// to others.
func groupLists[T any, E groupEntity[T]](of load, others int) [][]E {
	return lo.Times(of.callers, func(i int) []E {
		return lo.Times(of.rows, func(n int) E {
			e := E(new(T))
			e.number(int64(others + i*of.rows + n + 1))
			return e
		})
	})
}

// callsOf binds ways to save to the callers' rows.
func callsOf[T any, E groupEntity[T]](saves []saveFunc[T], lists [][]E) []groupCall {
	plain := lo.Map(lists, func(rows []E, _ int) []*T { return lo.Map(rows, func(e E, _ int) *T { return e }) })
	return lo.Map(saves, func(save saveFunc[T], _ int) groupCall {
		if save == nil {
			return nil
		}
		return func(ctx context.Context, caller int) error {
			for _, e := range lists[caller] {
				e.change()
			}
			return save(ctx, plain[caller])
		}
	})
}

// refusedAtTimes makes one save of a hundred one that the table refuses.
func refusedAtTimes(save saveFunc[article]) saveFunc[article] {
	var saves atomic.Int64
	return func(ctx context.Context, rows []*article) error {
		if saves.Add(1)%100 != 0 {
			return save(ctx, rows)
		}
		last := rows[len(rows)-1]
		before := last.N
		last.N = -1
		err := save(ctx, rows)
		last.N = before
		if err == nil {
			return errors.New("a row that breaks a CHECK was stored")
		}
		return ctx.Err()
	}
}
