package integration_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"
	"modernc.org/sqlite"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

func TestGormPitfall06_AForeignTransactionIsNoticed(t *testing.T) {
	t.Parallel()
	for _, b := range sqlBackends() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			db := b.open(t)
			ctx, r := t.Context(), gormRepo[gormItem](t, db, nil)
			if got := r.TxState(ctx); got != repo.TxNone {
				t.Fatalf("without a transaction: %v", got)
			}
			err := db.Transaction(func(tx *gorm.DB) error {
				inside, err := gormrepo.New[gormItem](tx, nil)
				must(t, err)
				if got := inside.TxState(ctx); got != repo.TxForeign {
					t.Errorf("made on a transaction: %v", got)
				}
				if err := inside.InTx(ctx, func(context.Context) error { return nil }); !errors.Is(err, repo.ErrInTx) {
					t.Errorf("InTx: %v", err)
				}
				must(t, inside.Save(ctx, &gormItem{ID: 1}))
				must(t, inside.SaveAll(ctx, gormItems(3, 10)))
				return errors.New("roll it back")
			})
			if err == nil {
				t.Fatal("no error")
			}
			if got := rows[gormItem](t, db); len(got) != 0 {
				t.Fatalf("the repository committed by itself: %v", got)
			}
		})
	}
}

func TestGormPitfall06_TheTransactionOfAnotherDatabaseIsNoticed(t *testing.T) {
	t.Parallel()
	for _, b := range sqlBackends() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			db := b.open(t)
			ctx, r := t.Context(), gormRepo[gormItem](t, db, nil)
			other := gormRepo[gormItem](t, sqliteDB(t), nil)
			must(t, other.InTx(ctx, func(ctx context.Context) error {
				if got := other.TxState(ctx); got != repo.TxJoined {
					t.Errorf("its own: %v", got)
				}
				if got := r.TxState(ctx); got != repo.TxForeign {
					t.Errorf("of another database: %v", got)
				}
				e := &gormItem{ID: 1}
				_, updated := r.Update(ctx, 1, func(*gormItem) error { return nil })
				_, smart := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{`{"id":1}`}}, repo.Merge())
				for name, err := range map[string]error{
					"Save": r.Save(ctx, e), "SaveAll": r.SaveAll(ctx, []*gormItem{e}), "Delete": r.Delete(ctx, e),
					"DeleteByID": r.DeleteByID(ctx, 1), "Update": updated, "SmartSave": smart,
					"InTx": r.InTx(ctx, func(context.Context) error { return nil }),
				} {
					if !errors.Is(err, repo.ErrInTx) {
						t.Errorf("%s: %v", name, err)
					}
				}
				if _, err := r.Count(ctx); err != nil {
					t.Errorf("reading: %v", err)
				}
				return nil
			}))
		})
	}
}

type gormSoft struct {
	ID        int64
	Name      string `gorm:"size:50"`
	CreatedAt time.Time
	UpdatedAt time.Time
	DeletedAt gorm.DeletedAt
}

func TestGormPitfall07_SoftDeletedRowsDoNotComeBack(t *testing.T) {
	t.Parallel()
	for _, b := range sqlBackends() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			db := b.open(t)
			ctx, r := t.Context(), gormRepo[gormSoft](t, db, nil)
			e, kept := &gormSoft{Name: "e"}, &gormSoft{Name: "kept"}
			must(t, r.SaveAll(ctx, []*gormSoft{e, kept}))
			must(t, r.Delete(ctx, e))
			before := rows[gormSoft](t, db)
			if !before[0].DeletedAt.Valid {
				t.Fatalf("it is not marked: %+v", before[0])
			}
			back := &gormSoft{ID: e.ID, Name: "back"}
			_, updated := r.Update(ctx, e.ID, func(*gormSoft) error { return nil })
			_, replaced := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{fmt.Sprintf(`{"id":%d}`, e.ID)}})
			_, merged := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{fmt.Sprintf(`{"id":%d}`, e.ID)}}, repo.Merge())
			for name, err := range map[string]error{
				"Save": r.Save(ctx, back), "SaveAll": r.SaveAll(ctx, []*gormSoft{kept, back}), "Update": updated,
				"SmartSave": replaced, "Merge": merged,
			} {
				if !errors.Is(err, repo.ErrNotFound) {
					t.Errorf("%s: %v", name, err)
				}
			}
			after := rows[gormSoft](t, db)
			for i := range after {
				if after[i].Name != before[i].Name || after[i].DeletedAt.Valid != before[i].DeletedAt.Valid || !after[i].UpdatedAt.Equal(before[i].UpdatedAt) {
					t.Errorf("%+v became %+v", before[i], after[i])
				}
			}
			if n, err := r.DeleteAllByID(ctx, []any{e.ID, kept.ID}); n != 1 || err != nil {
				t.Fatalf("deleted %d, %v", n, err)
			}
		})
	}
}

func TestGormPitfall07_ReviveBringsThemBackWhenAsked(t *testing.T) {
	t.Parallel()
	for _, b := range sqlBackends() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			db := b.open(t)
			ctx, r := t.Context(), gormRepo[gormSoft](t, db, &gormrepo.Options{Revive: true})
			e := &gormSoft{Name: "e"}
			for _, save := range []func() error{
				func() error { return r.Save(ctx, e) },
				func() error { return r.SaveAll(ctx, []*gormSoft{{Name: "other"}, e}) },
				func() error {
					_, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{fmt.Sprintf(`{"id":%d,"name":"e"}`, e.ID)}}, repo.Merge())
					return err
				},
			} {
				must(t, save())
				must(t, r.Delete(ctx, e))
				if ok, err := r.ExistsByID(ctx, e.ID); ok || err != nil {
					t.Fatalf("after the delete: %v, %v", ok, err)
				}
				must(t, save())
				if got, err := r.FindByID(ctx, e.ID); err != nil || got.Name != "e" || got.DeletedAt.Valid {
					t.Fatalf("got %+v, %v", got, err)
				}
			}
		})
	}
}

func TestGormPitfall08_CreationTimesAreNeverOverwritten(t *testing.T) {
	t.Parallel()
	for _, b := range sqlBackends() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			db := b.open(t)
			ctx, r := t.Context(), gormRepo[gormSoft](t, db, nil)
			long := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
			must(t, r.SaveAll(ctx, []*gormSoft{{ID: 1, CreatedAt: long}, {ID: 2, CreatedAt: long.AddDate(1, 0, 0)}}))
			wrong := time.Date(2022, 2, 2, 0, 0, 0, 0, time.UTC)
			list := []*gormSoft{{ID: 2}, {ID: 3}, {ID: 1, CreatedAt: wrong}}
			one := &gormSoft{ID: 1}
			must(t, r.SaveAll(ctx, list))
			must(t, r.Save(ctx, one))
			_, err := r.Update(ctx, 1, func(e *gormSoft) error { e.CreatedAt = wrong; return nil })
			must(t, err)
			_, err = r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{`{"id":1,"createdAt":"2022-02-02T00:00:00Z","name":"x"}`}}, repo.Merge())
			must(t, err)
			if got, err := r.FindByID(ctx, 1); err != nil || !got.CreatedAt.Equal(long) || got.UpdatedAt.Before(long.AddDate(20, 0, 0)) {
				t.Fatalf("stored is %+v, %v", got, err)
			}
			// In memory it is what is stored, of the right row each.
			if !list[0].CreatedAt.Equal(long.AddDate(1, 0, 0)) || list[1].CreatedAt.Before(wrong) || !list[2].CreatedAt.Equal(long) || !one.CreatedAt.Equal(long) {
				t.Fatalf("in memory: %v, %v, %v, %v", list[0].CreatedAt, list[1].CreatedAt, list[2].CreatedAt, one.CreatedAt)
			}
		})
	}
}

func TestGormPitfall13_ReportedRowsGoToTheirOwnEntities(t *testing.T) {
	t.Parallel()
	for _, b := range sqlBackends() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			db := b.open(t)
			ctx, r := t.Context(), gormRepo[gormSoft](t, db, nil)
			start := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
			var stored, list []*gormSoft
			for i := range 20 {
				stored = append(stored, &gormSoft{ID: int64(i + 1), CreatedAt: start.AddDate(0, 0, i)})
				list = append([]*gormSoft{{ID: int64(i + 1)}}, list...)
			}
			must(t, r.SaveAll(ctx, stored))
			must(t, r.SaveAll(ctx, list))
			for _, e := range list {
				if want := start.AddDate(0, 0, int(e.ID)-1); !e.CreatedAt.Equal(want) {
					t.Errorf("%d was created %v, want %v", e.ID, e.CreatedAt, want)
				}
			}
			// Skipped rows shift nothing: the error names them, and nobody else
			// gets their values.
			must(t, r.DeleteByID(ctx, 7))
			must(t, r.DeleteByID(ctx, 12))
			again := []*gormSoft{{ID: 30}, {ID: 7}, {ID: 8}, {ID: 12}, {ID: 31, Name: "new"}}
			err := r.SaveAll(ctx, again)
			var batch *repo.BatchError
			if !errors.As(err, &batch) || len(batch.Items) != 2 || batch.Items[0].Index != 1 || batch.Items[1].Index != 3 {
				t.Fatalf("got %v", err)
			}
			for i, e := range again {
				if !e.CreatedAt.IsZero() || e.ID != []int64{30, 7, 8, 12, 31}[i] {
					t.Errorf("element %d became %+v", i, e)
				}
			}
		})
	}
}

type gormStrict struct {
	ID   int64
	Code string `gorm:"size:50;not null;check:code <> ''"`
	Name string `gorm:"size:50"`
}

func TestGormPitfall15_MergeOfAPartNeedsNoOtherColumns(t *testing.T) {
	t.Parallel()
	for _, b := range sqlBackends() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			db := b.open(t)
			ctx, r := t.Context(), gormRepo[gormStrict](t, db, nil)
			e := &gormStrict{Code: "c", Name: "old"}
			must(t, r.Save(ctx, e))
			out, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{fmt.Sprintf(`{"id":%d,"name":"new"}`, e.ID)}}, repo.Merge())
			must(t, err)
			if got := rows[gormStrict](t, db); len(got) != 1 || got[0].Name != "new" || got[0].Code != "c" || *out[0] != got[0] {
				t.Fatalf("got %+v, returned %+v", got, out[0])
			}
		})
	}
}

func TestGormPitfall17_DuplicatesAreKnownWithAndWithoutTranslation(t *testing.T) {
	t.Parallel()
	for _, b := range sqlBackends() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			db := b.open(t)
			const secret = "ada-lovelace@example.com"
			for _, translate := range []bool{false, true} {
				db := renamed(t, db)
				db.TranslateError = translate
				ctx, r := t.Context(), gormRepo[gormItem](t, db, nil)
				must(t, r.Save(ctx, &gormItem{Email: secret}))
				err := r.Save(ctx, &gormItem{Email: secret})
				if !errors.Is(err, repo.ErrDuplicateKey) || strings.Contains(err.Error(), "ada") {
					t.Errorf("translate %v: got %v", translate, err)
				}
				known := errors.Is(err, gorm.ErrDuplicatedKey) ||
					errors.As(err, new(*pgconn.PgError)) || errors.As(err, new(*mysql.MySQLError)) || errors.As(err, new(*sqlite.Error))
				if !known {
					t.Errorf("translate %v: the cause is lost: %v", translate, err)
				}
				list := r.SaveAll(ctx, []*gormItem{{Email: "b@x"}, {Email: secret}})
				if !errors.Is(list, repo.ErrDuplicateKey) || strings.Contains(list.Error(), "ada") || !strings.Contains(list.Error(), "element 1") {
					t.Errorf("translate %v: of a list: %v", translate, list)
				}
			}
		})
	}
}

func TestGormPitfall18_ListsFillNoCacheOfStatements(t *testing.T) {
	t.Parallel()
	for _, b := range sqlBackends() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			db := b.open(t)
			must(t, db.AutoMigrate(new(gormSoft)))
			db = db.Session(&gorm.Session{PrepareStmt: true})
			r, err := gormrepo.New[gormSoft](db, nil)
			must(t, err)
			cache := db.ConnPool.(*gorm.PreparedStmtDB).Stmts
			ctx := t.Context()
			var used []string
			for n := 2; n < 12; n++ {
				list := make([]*gormSoft, n)
				ids := make([]any, n)
				for i := range list {
					list[i] = &gormSoft{}
				}
				for _, save := range []func(context.Context) error{
					func(ctx context.Context) error { return r.SaveAll(ctx, list) },
					func(ctx context.Context) error { return r.SaveAll(ctx, list) },
					func(ctx context.Context) error {
						return r.InTx(ctx, func(ctx context.Context) error { return r.SaveAll(ctx, list) })
					},
				} {
					must(t, save(ctx))
				}
				for i, e := range list {
					ids[i] = e.ID
				}
				found, err := r.FindAllByID(ctx, ids)
				must(t, err)
				_, err = r.FindByID(ctx, ids[0]) // this one may stay prepared
				must(t, err)
				must(t, r.Delete(ctx, found...))
				if n == 2 {
					used = cache.Keys()
				}
			}
			if got := cache.Keys(); len(got) != len(used) {
				t.Fatalf("the cache grew from %d to %d: %q", len(used), len(got), slices.DeleteFunc(got, func(s string) bool { return slices.Contains(used, s) }))
			}
		})
	}
}
