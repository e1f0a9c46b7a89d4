package gormstore_test

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

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

func TestGormReportedRowsGoToTheirOwnEntities(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[gormSoft](t, db, nil)
		start := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
		var stored, list []*gormSoft
		for i := range 20 {
			stored = append(stored, &gormSoft{ID: int64(i + 1), CreatedAt: start.AddDate(0, 0, i)})
			list = append([]*gormSoft{{ID: int64(i + 1)}}, list...)
		}
		check.Must(t, r.SaveAll(ctx, stored))
		check.Must(t, r.SaveAll(ctx, list))
		for _, e := range list {
			if want := start.AddDate(0, 0, int(e.ID)-1); !e.CreatedAt.Equal(want) {
				t.Errorf("%d was created %v, want %v", e.ID, e.CreatedAt, want)
			}
		}
		// Skipped rows shift nothing: the error names them, and nobody else
		// gets their values.
		check.Must(t, r.DeleteByID(ctx, 7))
		check.Must(t, r.DeleteByID(ctx, 12))
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

type gormStrict struct {
	ID   int64
	Code string `gorm:"size:50;not null;check:code <> ''"`
	Name string `gorm:"size:50"`
}

func TestGormMergeOfAPartNeedsNoOtherColumns(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[gormStrict](t, db, nil)
		e := &gormStrict{Code: "c", Name: "old"}
		check.Must(t, r.Save(ctx, e))
		out, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{fmt.Sprintf(`{"id":%d,"name":"new"}`, e.ID)}}, repo.Merge())
		check.Must(t, err)
		if got := sqldb.Rows[gormStrict](t, db); len(got) != 1 || got[0].Name != "new" || got[0].Code != "c" || *out[0] != got[0] {
			t.Fatalf("got %+v, returned %+v", got, out[0])
		}
	})
}

func TestGormDuplicatesAreKnownWithAndWithoutTranslation(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		const secret = "ada-lovelace@example.com"
		for _, translate := range []bool{false, true} {
			db := sqldb.Renamed(t, db)
			db.TranslateError = translate
			ctx, r := t.Context(), sqldb.Repository[gormItem](t, db, nil)
			check.Must(t, r.Save(ctx, &gormItem{Email: secret}))
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

func TestGormListsFillNoCacheOfStatements(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		check.Must(t, db.AutoMigrate(new(gormSoft)))
		db = db.Session(&gorm.Session{PrepareStmt: true})
		r, err := gormrepo.New[gormSoft](db, nil)
		check.Must(t, err)
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
				check.Must(t, save(ctx))
			}
			for i, e := range list {
				ids[i] = e.ID
			}
			found, err := r.FindAllByID(ctx, ids)
			check.Must(t, err)
			_, err = r.FindByID(ctx, ids[0]) // this one may stay prepared
			check.Must(t, err)
			check.Must(t, r.Delete(ctx, found...))
			if n == 2 {
				used = cache.Keys()
			}
		}
		if got := cache.Keys(); len(got) != len(used) {
			t.Fatalf("the cache grew from %d to %d: %q", len(used), len(got), slices.DeleteFunc(got, func(s string) bool { return slices.Contains(used, s) }))
		}
	})
}
