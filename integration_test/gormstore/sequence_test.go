package gormstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/samber/lo"
	"golang.org/x/sync/errgroup"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// gormOrderItem is the entity OrderItem of a Java service, with
// @GeneratedValue(strategy = SEQUENCE) and Spring Boot's naming.
type gormOrderItem struct {
	ID   int64
	Name string
}

func (gormOrderItem) TableName() string { return "order_item" }

// sequenceSite is a database with the tables that Hibernate 6 makes.
type sequenceSite struct {
	name string
	open func(t testing.TB) *gorm.DB
	ddl  []string
	// next is what Hibernate asks.
	next func(tx *gorm.DB) (int64, error)
}

func sequenceSites() []sequenceSite {
	ask := func(text string) func(tx *gorm.DB) (int64, error) {
		return func(tx *gorm.DB) (n int64, err error) { return n, tx.Raw(text).Scan(&n).Error }
	}
	return []sequenceSite{
		{"PostgreSQL", sqldb.Postgres, []string{
			"create sequence order_item_seq start with 1 increment by 50",
			"create table order_item (id bigint not null, name varchar(255), primary key (id))",
		}, ask("select nextval('order_item_seq')")},
		{"MariaDB", sqldb.MySQL, []string{
			"create sequence order_item_seq start with 1 increment by 50 nocache",
			"create table order_item (id bigint not null, name varchar(255), primary key (id)) engine=InnoDB",
		}, ask("select nextval(order_item_seq)")},
		{"MySQL", sqldb.MySQLPlain, []string{
			"create table order_item_seq (next_val bigint) engine=InnoDB",
			"insert into order_item_seq values ( 1 )",
			"create table order_item (id bigint not null, name varchar(255), primary key (id)) engine=InnoDB",
		}, func(db *gorm.DB) (n int64, err error) {
			return n, db.Transaction(func(tx *gorm.DB) error {
				if err := tx.Raw("select next_val as id_val from order_item_seq for update").Scan(&n).Error; err != nil {
					return err
				}
				return tx.Exec("update order_item_seq set next_val= ? where next_val=?", n+50, n).Error
			})
		}},
	}
}

// hibernate makes keys as the pooled optimizer of Hibernate 6 does.
type hibernate struct {
	db    *gorm.DB
	next  func(*gorm.DB) (int64, error)
	value int64
	hi    int64
}

func (h *hibernate) key() (int64, error) {
	var err error
	switch {
	case h.hi == 0:
		if h.value, err = h.next(h.db); err != nil {
			return 0, err
		}
		if h.value == 1 {
			h.hi, err = h.next(h.db)
		} else {
			h.hi, h.value = h.value, h.value-49
		}
	case h.value > h.hi:
		if h.hi, err = h.next(h.db); err == nil {
			h.value = h.hi - 49
		}
	}
	h.value++
	return h.value - 1, err
}

func (s sequenceSite) make(t testing.TB) *gorm.DB {
	t.Helper()
	db := s.open(t)
	for _, text := range s.ddl {
		check.Must(t, db.Exec(text).Error)
	}
	check.Must(t, gormrepo.MigrateFence(t.Context(), db))
	return db
}

// sequenceRepo is what another process would have: a repository with keys of its own.
func sequenceRepo(t testing.TB, db *gorm.DB, opts *gormrepo.Sequence) *gormrepo.Repository[gormOrderItem] {
	t.Helper()
	r, err := gormrepo.New[gormOrderItem](db, &gormrepo.Options{Sequence: opts})
	check.Must(t, err)
	return r
}

func TestGormSequence_GoAndJavaNeverCollide(t *testing.T) {
	t.Parallel()
	for _, s := range sequenceSites() {
		for _, first := range []string{"go", "java"} {
			t.Run(s.name+"/"+first, func(t *testing.T) {
				t.Parallel()
				db := s.make(t)
				java := &hibernate{db: db, next: s.next}
				if first == "java" {
					_, err := java.key()
					check.Must(t, err)
					java.value-- // it will be used
				}
				var mu sync.Mutex
				var keys []int64
				saved := func(items ...*gormOrderItem) {
					mu.Lock()
					defer mu.Unlock()
					keys = append(keys, lo.Map(items, func(e *gormOrderItem, _ int) int64 { return e.ID })...)
				}
				if first == "go" { // it takes the first value, as it must not be shared
					r, e := sequenceRepo(t, db, &gormrepo.Sequence{}), &gormOrderItem{Name: "first"}
					check.Must(t, r.Save(t.Context(), e))
					saved(e)
				}
				var g errgroup.Group
				g.Go(func() error {
					for range 170 {
						key, err := java.key()
						if err != nil {
							return err
						}
						if err := db.Exec("insert into order_item (name,id) values (?,?)", "java", key).Error; err != nil {
							return err
						}
						saved(&gormOrderItem{ID: key})
					}
					return nil
				})
				for n, ctx := range []context.Context{t.Context(), driver.WithFence(t.Context(), &severalClaims{})} {
					r := sequenceRepo(t, db, &gormrepo.Sequence{})
					g.Go(func() error { return saveInEveryWay(ctx, r, fmt.Sprint("go", n), saved) })
				}
				check.Must(t, g.Wait())
				if twice := lo.FindDuplicates(keys); len(twice) > 0 {
					t.Errorf("keys made twice: %v", twice)
				}
				var n int
				check.Must(t, db.Raw("SELECT count(*) FROM order_item").Scan(&n).Error)
				if n != len(keys) || lo.Min(keys) != 1 {
					t.Errorf("%d rows, %d keys from %d on", n, len(keys), lo.Min(keys))
				}
				value, err := s.next(db)
				check.Must(t, err)
				if spare := value - int64(len(keys)); spare > 300 {
					t.Errorf("%d keys were taken for %d rows", value, len(keys))
				}
			})
		}
	}
}

func saveInEveryWay(ctx context.Context, r *gormrepo.Repository[gormOrderItem], name string, saved func(...*gormOrderItem)) error {
	for range 5 {
		one := &gormOrderItem{Name: name}
		list := lo.Times(23, func(int) *gormOrderItem { return &gormOrderItem{Name: name} })
		if err := errors.Join(r.Save(ctx, one), r.SaveAll(ctx, list)); err != nil {
			return err
		}
		one.Name = "again"
		if err := r.Save(ctx, one); err != nil {
			return err
		}
		saved(append(list, one)...)
		for _, opts := range [][]repo.SmartSaveOption{nil, {repo.Merge()}} {
			out, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{`{"name":"doc"}`, `{"name":"doc"}`}}, opts...)
			if err != nil {
				return err
			}
			saved(out...)
		}
		inside := &gormOrderItem{Name: name}
		if err := r.InTx(ctx, func(ctx context.Context) error { return r.Save(ctx, inside) }); err != nil {
			return err
		}
		saved(inside)
		undone := errors.New("undone")
		err := r.InTx(ctx, func(ctx context.Context) error {
			if err := r.Save(ctx, &gormOrderItem{Name: "undone"}); err != nil {
				return err
			}
			return undone
		})
		if !errors.Is(err, undone) {
			return err
		}
	}
	return nil
}

// One value of the sequence is enough for its keys.
func TestGormSequence_AsksOnceForFifty(t *testing.T) {
	t.Parallel()
	for _, s := range sequenceSites() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			db := s.make(t)
			_, err := s.next(db) // 1
			check.Must(t, err)
			r := sequenceRepo(t, db, &gormrepo.Sequence{Name: "order_item_seq"})
			items := lo.Times(50, func(int) *gormOrderItem { return new(gormOrderItem) })
			for _, e := range items[:20] {
				check.Must(t, r.Save(t.Context(), e))
			}
			check.Must(t, r.SaveAll(t.Context(), items[20:]))
			for i, e := range items {
				if e.ID != int64(2+i) {
					t.Fatalf("item %d has the key %d", i, e.ID)
				}
			}
			if n, err := s.next(db); n != 101 || err != nil {
				t.Errorf("the next value is %d, %v", n, err)
			}
			// A list takes what it needs in one go.
			list := lo.Times(120, func(int) *gormOrderItem { return new(gormOrderItem) })
			check.Must(t, r.SaveAll(t.Context(), list))
			if list[0].ID != 102 || list[119].ID != 221 {
				t.Errorf("a list has %d to %d", list[0].ID, list[119].ID)
			}
		})
	}
}

func TestGormSequence_Refusals(t *testing.T) {
	t.Parallel()
	for _, s := range sequenceSites()[:2] {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			db := s.make(t)
			check.Must(t, db.Exec("create sequence ones start with 1 increment by 1").Error)
			r := sequenceRepo(t, db, &gormrepo.Sequence{Name: "ones"})
			if err := r.Save(t.Context(), &gormOrderItem{}); !errors.Is(err, repo.ErrInvalid) {
				t.Errorf("another increment: %v", err)
			}
			check.Must(t, sequenceRepo(t, db, &gormrepo.Sequence{Name: "ones", Increment: 1}).Save(t.Context(), &gormOrderItem{}))
			if err := sequenceRepo(t, db, &gormrepo.Sequence{Name: "absent"}).Save(t.Context(), &gormOrderItem{}); err == nil {
				t.Error("saved with a sequence that is not there")
			}
		})
	}
	if _, err := gormrepo.New[gormOrderItem](sqldb.SQLite(t), &gormrepo.Options{Sequence: &gormrepo.Sequence{}}); !errors.Is(err, repo.ErrUnsupported) {
		t.Errorf("SQLite: %v", err)
	}
	pg := sqldb.Postgres(t)
	for name, opts := range map[string]*gormrepo.Options{
		"NewID":     {Sequence: &gormrepo.Sequence{}, NewID: func(context.Context) (any, error) { return 1, nil }},
		"Increment": {Sequence: &gormrepo.Sequence{Increment: -1}},
	} {
		if _, err := gormrepo.New[gormOrderItem](pg, opts); !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := gormrepo.New[gormCoded](pg, &gormrepo.Options{Sequence: &gormrepo.Sequence{}}); !errors.Is(err, repo.ErrInvalid) {
		t.Errorf("a text key: %v", err)
	}
}

// The names of Spring Boot come from a naming strategy, the schema from the table.
func TestGormSequence_NameFollowsTheTable(t *testing.T) {
	t.Parallel()
	plain := sqldb.Postgres(t)
	db, err := gorm.Open(plain.Dialector, &gorm.Config{
		ConnPool: plain.ConnPool, Logger: logger.Discard, NamingStrategy: schema.NamingStrategy{SingularTable: true},
	})
	check.Must(t, err)
	check.Must(t, db.Exec("create sequence gorm_item_seq start with 1 increment by 50").Error)
	check.Must(t, db.Exec("create table gorm_item (id bigint primary key, email varchar(100), name varchar(100))").Error)
	r, err := gormrepo.New[gormItem](db, &gormrepo.Options{Sequence: &gormrepo.Sequence{}})
	check.Must(t, err)
	e := &gormItem{Email: "a"}
	check.Must(t, r.Save(t.Context(), e))
	if e.ID != 1 {
		t.Errorf("the key is %d", e.ID)
	}
}
