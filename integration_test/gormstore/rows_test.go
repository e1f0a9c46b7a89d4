package gormstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

func TestGormAForeignTransactionIsNoticed(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[gormItem](t, db, nil)
		if got := r.TxState(ctx); got != driver.TxNone {
			t.Fatalf("without a transaction: %v", got)
		}
		err := db.Transaction(func(tx *gorm.DB) error {
			inside, err := gormrepo.New[gormItem](tx, nil)
			check.Must(t, err)
			if got := inside.TxState(ctx); got != driver.TxForeign {
				t.Errorf("made on a transaction: %v", got)
			}
			if err := inside.InTx(ctx, func(context.Context) error { return nil }); !errors.Is(err, repo.ErrInTx) {
				t.Errorf("InTx: %v", err)
			}
			check.Must(t, inside.Save(ctx, &gormItem{ID: 1}))
			check.Must(t, inside.SaveAll(ctx, gormItems(3, 10)))
			return errors.New("roll it back")
		})
		if err == nil {
			t.Fatal("no error")
		}
		if got := sqldb.Rows[gormItem](t, db); len(got) != 0 {
			t.Fatalf("the repository committed by itself: %v", got)
		}
	})
}

func TestGormTheTransactionOfAnotherDatabaseIsNoticed(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[gormItem](t, db, nil)
		other := sqldb.Repository[gormItem](t, sqldb.SQLite(t), nil)
		check.Must(t, other.InTx(ctx, func(ctx context.Context) error {
			if got := other.TxState(ctx); got != driver.TxJoined {
				t.Errorf("its own: %v", got)
			}
			if got := r.TxState(ctx); got != driver.TxForeign {
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

type gormSoft struct {
	ID        int64
	Name      string `gorm:"size:50"`
	CreatedAt time.Time
	UpdatedAt time.Time
	DeletedAt gorm.DeletedAt
}

func TestGormSoftDeletedRowsDoNotComeBack(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[gormSoft](t, db, nil)
		e, kept := &gormSoft{Name: "e"}, &gormSoft{Name: "kept"}
		check.Must(t, r.SaveAll(ctx, []*gormSoft{e, kept}))
		check.Must(t, r.Delete(ctx, e))
		before := sqldb.Rows[gormSoft](t, db)
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
		after := sqldb.Rows[gormSoft](t, db)
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

func TestGormReviveBringsThemBackWhenAsked(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[gormSoft](t, db, &gormrepo.Options{Revive: true})
		e := &gormSoft{Name: "e"}
		for _, save := range []func() error{
			func() error { return r.Save(ctx, e) },
			func() error { return r.SaveAll(ctx, []*gormSoft{{Name: "other"}, e}) },
			func() error {
				_, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{fmt.Sprintf(`{"id":%d,"name":"e"}`, e.ID)}}, repo.Merge())
				return err
			},
		} {
			check.Must(t, save())
			check.Must(t, r.Delete(ctx, e))
			if ok, err := r.ExistsByID(ctx, e.ID); ok || err != nil {
				t.Fatalf("after the delete: %v, %v", ok, err)
			}
			check.Must(t, save())
			if got, err := r.FindByID(ctx, e.ID); err != nil || got.Name != "e" || got.DeletedAt.Valid {
				t.Fatalf("got %+v, %v", got, err)
			}
		}
	})
}

func TestGormCreationTimesAreNeverOverwritten(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[gormSoft](t, db, nil)
		long := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
		check.Must(t, r.SaveAll(ctx, []*gormSoft{{ID: 1, CreatedAt: long}, {ID: 2, CreatedAt: long.AddDate(1, 0, 0)}}))
		wrong := time.Date(2022, 2, 2, 0, 0, 0, 0, time.UTC)
		list := []*gormSoft{{ID: 2}, {ID: 3}, {ID: 1, CreatedAt: wrong}}
		one := &gormSoft{ID: 1}
		check.Must(t, r.SaveAll(ctx, list))
		check.Must(t, r.Save(ctx, one))
		_, err := r.Update(ctx, 1, func(e *gormSoft) error { e.CreatedAt = wrong; return nil })
		check.Must(t, err)
		_, err = r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{`{"id":1,"createdAt":"2022-02-02T00:00:00Z","name":"x"}`}}, repo.Merge())
		check.Must(t, err)
		if got, err := r.FindByID(ctx, 1); err != nil || !got.CreatedAt.Equal(long) || got.UpdatedAt.Before(long.AddDate(20, 0, 0)) {
			t.Fatalf("stored is %+v, %v", got, err)
		}
		// In memory it is what is stored, of the right row each.
		if !list[0].CreatedAt.Equal(long.AddDate(1, 0, 0)) || list[1].CreatedAt.Before(wrong) || !list[2].CreatedAt.Equal(long) || !one.CreatedAt.Equal(long) {
			t.Fatalf("in memory: %v, %v, %v, %v", list[0].CreatedAt, list[1].CreatedAt, list[2].CreatedAt, one.CreatedAt)
		}
	})
}
