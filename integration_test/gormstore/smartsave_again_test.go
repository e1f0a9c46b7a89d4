package gormstore_test

import (
	"context"
	"errors"
	"reflect"
	"sync/atomic"
	"testing"

	"github.com/samber/lo"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// remark is changed by its hook each time that it is saved.
type remark struct {
	ID      int64 `gorm:"autoIncrement:false"`
	Text    string
	N       int64
	Version int64 `holdfast:"version"`
}

func (r *remark) BeforeSave(*gorm.DB) error {
	r.Text += "+"
	return nil
}

type failRemark struct{}

// AfterSave fails as the context of the call wants.
func (r *remark) AfterSave(tx *gorm.DB) error {
	if fail, ok := tx.Statement.Context.Value(failRemark{}).(func(*gorm.DB, *remark) error); ok {
		return fail(tx, r)
	}
	return nil
}

// deadlock is what the server answers to one of two who wait for each other.
func deadlock(tx *gorm.DB) error {
	text := "DO $$ BEGIN RAISE EXCEPTION 'a deadlock' USING ERRCODE = '40P01'; END $$"
	if tx.Name() == "mysql" {
		text = "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213"
	}
	return tx.Session(&gorm.Session{NewDB: true}).Exec(text).Error
}

// remarkDocuments are of a stored row, of a new one, and two of each.
func remarkDocuments() repo.SmartSaveDTO {
	return repo.SmartSaveDTO{EntityList: []string{
		`{"id":1,"n":10}`, `{"id":3,"text":"three","n":30}`,
		`{"id":2,"n":20}`, `{"id":4,"text":"four"}`, `{"id":2,"text":"two"}`, `{"id":4,"n":40}`,
	}}
}

// wantRemarks compares what is stored.
func wantRemarks(ctx context.Context, t *testing.T, r *gormrepo.Repository[remark], want ...remark) {
	t.Helper()
	found, err := r.FindAllByID(ctx, []any{1, 2, 3, 4})
	check.Must(t, err)
	if got := lo.FromSlicePtr(found); !reflect.DeepEqual(got, want) {
		t.Errorf("stored is %+v,\nwant %+v", got, want)
	}
}

func storeRemarks(ctx context.Context, t *testing.T, b sqldb.Backend) *gormrepo.Repository[remark] {
	t.Helper()
	r := sqldb.Repository[remark](t, b.Open(t), nil)
	check.Must(t, r.SaveAll(ctx, []*remark{{ID: 1, Text: "one"}, {ID: 2, Text: "old"}}))
	return r
}

var remarksOf = map[string]struct {
	option repo.SmartSaveOption
	want   []remark
}{
	"Merge": {repo.Merge(), []remark{
		{1, "one++", 10, 2}, {2, "two+", 20, 2}, {3, "three+", 30, 1}, {4, "four+", 40, 1},
	}},
	"Replace": {repo.Replace(), []remark{ // the last document of a key
		{1, "+", 10, 2}, {2, "two+", 0, 2}, {3, "three+", 30, 1}, {4, "+", 40, 1},
	}},
}

// TestSmartSave_RunsAgain has the database give up the transaction once everything is
// written. The second attempt begins with what the documents say.
func TestSmartSave_RunsAgain(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		if b.Name == "SQLite" {
			t.Log("it has one writer at a time, so it gives up no transaction for another one")
			return
		}
		for name, mode := range remarksOf {
			t.Run(name, func(t *testing.T) {
				r := storeRemarks(t.Context(), t, b)
				var calls atomic.Int64
				ctx := context.WithValue(t.Context(), failRemark{}, func(tx *gorm.DB, _ *remark) error {
					if calls.Add(1) == 4 { // of the last one
						return deadlock(tx)
					}
					return nil
				})
				out, err := r.SmartSave(ctx, remarkDocuments(), mode.option)
				check.Must(t, err)
				if calls.Load() != 8 {
					t.Errorf("%d calls of the hook: the transaction did not run twice", calls.Load())
				}
				wantRemarks(t.Context(), t, r, mode.want...)
				for i, id := range []int64{1, 3, 2, 4, 2, 4} {
					if *out[i] != mode.want[id-1] {
						t.Errorf("document %d became %+v, want %+v", i, *out[i], mode.want[id-1])
					}
				}
			})
		}
	})
}

// TestSaveDocuments_AfterAnError saves a list again whose save has failed.
func TestSaveDocuments_AfterAnError(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		for name, mode := range remarksOf {
			t.Run(name, func(t *testing.T) {
				r := storeRemarks(t.Context(), t, b)
				docs, err := driver.Decode[remark](remarkDocuments(), mode.option)
				check.Must(t, err)
				before, refused := lo.FromSlicePtr(docs.Entities), errors.New("refused")
				for _, fail := range []func(*gorm.DB, *remark) error{
					func(_ *gorm.DB, r *remark) error { return lo.Ternary(r.ID == 4, refused, nil) },
					func(_ *gorm.DB, r *remark) error {
						if r.ID == 4 {
							panic(refused)
						}
						return nil
					},
				} {
					err := func() (err error) {
						defer func() {
							if p, ok := recover().(error); ok {
								err = p
							}
						}()
						_, err = r.SaveDocuments(context.WithValue(t.Context(), failRemark{}, fail), docs)
						return err
					}()
					check.WantError(t, err, refused)
					if after := lo.FromSlicePtr(docs.Entities); !reflect.DeepEqual(after, before) {
						t.Errorf("the documents became %+v,\nwere %+v", after, before)
					}
				}
				_, err = r.SaveDocuments(t.Context(), docs)
				check.Must(t, err)
				wantRemarks(t.Context(), t, r, mode.want...)
			})
		}
	})
}
