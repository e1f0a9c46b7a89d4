package gormstore_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

type gormRevised struct {
	ID   string `gorm:"primaryKey;size:20"`
	Name string `gorm:"size:50"`
	Rev  int64  `holdfast:"version"`
}

// A document that names no version replaces what is stored in any version, and is
// inserted where nothing is. One that names a version is checked.
func TestGormReplaceWithoutVersion(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		ctx, r := t.Context(), sqldb.Repository[gormRevised](t, b.Open(t), nil)
		var texts []string
		for i := range 120 { // more than SQLite writes by one statement
			e := &gormRevised{ID: fmt.Sprintf("e%03d", i), Name: "first"}
			for range i % 3 {
				check.Must(t, r.Save(ctx, e))
			}
			texts = append(texts, fmt.Sprintf(`{"id":%q,"name":"document"}`, e.ID))
		}
		saved, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: texts})
		check.Must(t, err)
		for i, e := range rowsByID(t, r) {
			if want := int64(i%3 + 1); e.Rev != want || saved[i].Rev != want || e.Name != "document" {
				t.Fatalf("element %d: got %+v, stored is %+v", i, saved[i], e)
			}
		}
		for text, want := range map[string]error{
			`{"id":"e001","name":"named","rev":2}`: nil,
			`{"id":"e002","name":"late","rev":1}`:  repo.ErrStale,
			`{"id":"e900","name":"gone","rev":1}`:  repo.ErrStale,
			`{"id":"e003","name":"zero","rev":0}`:  nil,
			`{"id":"e004","rev":null,"name":"n"}`:  nil,
		} {
			_, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{text, `{"id":"e000","name":"again"}`}})
			if !errors.Is(err, want) {
				t.Errorf("%s: got %v", text, err)
			}
		}
		if err := r.Save(ctx, &gormRevised{ID: "e001", Name: "new"}); !errors.Is(err, repo.ErrDuplicateKey) {
			t.Errorf("Save of a new entity over a stored one: %v", err)
		}
		err = r.SaveAll(ctx, []*gormRevised{{ID: "e901"}, {ID: "e001"}})
		var batch *repo.BatchError
		if !errors.As(err, &batch) || len(batch.Items) != 1 || batch.Items[0].Index != 1 || !errors.Is(err, repo.ErrDuplicateKey) {
			t.Errorf("SaveAll of a new entity over a stored one: %v", err)
		}
		if e, err := r.FindByID(ctx, "e000"); err != nil || e.Rev != 4 {
			t.Errorf("got %+v, %v, want version 4", e, err)
		}
	})
}

func rowsByID(t *testing.T, r *gormrepo.Repository[gormRevised]) []*gormRevised {
	t.Helper()
	list, err := r.Find(t.Context(), repo.F[gormRevised, string]("ID").Asc())
	check.Must(t, err)
	return list
}
