package gormstore_test

import (
	"encoding/json"
	"testing"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
)

type gormGuarded struct {
	ID     int64  `gorm:"primaryKey;autoIncrement:false"`
	Name   string `gorm:"size:50"`
	Secret string `gorm:"size:50;->:false;<-"`
	Once   string `gorm:"size:50;<-:create"`
	Later  string `gorm:"size:50;<-:update"`
}

// A column that can be written and not read keeps what it has, unless it is given
// another value.
func TestGormColumnsThatAreOnlyWritten(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[gormGuarded](t, db, nil)
		secret := func() (s string) {
			check.Must(t, db.Raw("SELECT secret FROM gorm_guardeds WHERE id = 1").Scan(&s).Error)
			return s
		}
		check.Must(t, r.Save(ctx, &gormGuarded{ID: 1, Name: "n", Secret: "s", Once: "o"}))
		_, err := r.Update(ctx, 1, func(e *gormGuarded) error { e.Name, e.Once, e.Later = "u", "changed", "l"; return nil })
		check.Must(t, err)
		_, err = r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{`{"id":1,"name":"m"}`}}, repo.Merge())
		check.Must(t, err)
		if got, err := r.FindByID(ctx, 1); err != nil || got.Name != "m" || got.Once != "o" || got.Later != "l" || secret() != "s" {
			t.Fatalf("got %+v, %v, secret %q", got, err, secret())
		}
		_, err = r.Update(ctx, 1, func(e *gormGuarded) error { e.Secret = "new"; return nil })
		check.Must(t, err)
		if secret() != "new" {
			t.Errorf("the secret is %q", secret())
		}
	})
}

type gormDocument struct {
	ID   int64           `gorm:"primaryKey;autoIncrement:false"`
	Meta json.RawMessage `gorm:"type:json"`
	Bag  map[string]any  `gorm:"serializer:json"`
	Rev  int64           `holdfast:"version"`
}

// Merges go into columns of JSON, null in a document is NULL in the column, and an equal
// document counts no version.
func TestGormColumnsOfJSON(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[gormDocument](t, db, nil)
		merge := func(doc string, version int64) *gormDocument {
			t.Helper()
			out, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{doc}}, repo.Merge())
			check.Must(t, err)
			if out[0].Rev != version {
				t.Errorf("%s: version %d, want %d", doc, out[0].Rev, version)
			}
			return out[0]
		}
		merge(`{"id":1,"meta":{"a":1,"b":{"c":2}},"bag":{"x":{"y":1}}}`, 1)
		merge(`{"id":1,"meta":{"b":{"c":2},"a":1},"bag":{"x":{"y":1}}}`, 1)
		merge(`{"id":1,"meta":{"b":{"c":null,"d":3}},"bag":{"x":{"z":2}}}`, 2)
		got, err := r.FindByID(ctx, 1)
		check.Must(t, err)
		var meta any
		check.Must(t, json.Unmarshal(got.Meta, &meta))
		if text, _ := json.Marshal([]any{meta, got.Bag}); string(text) != `[{"a":1,"b":{"d":3}},{"x":{"y":1,"z":2}}]` {
			t.Errorf("got %s", text)
		}
		merge(`{"id":1,"meta":null}`, 3)
		var n int64
		check.Must(t, db.Model(new(gormDocument)).Where("meta IS NULL").Count(&n).Error)
		if n != 1 {
			t.Error("null in the document is no NULL in the column")
		}
		out, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{`{"id":2,"meta":null}`}})
		check.Must(t, err)
		check.Must(t, db.Model(new(gormDocument)).Where("meta IS NULL").Count(&n).Error)
		if n != 2 || out[0].Meta != nil {
			t.Errorf("%d rows with NULL after a replace", n)
		}
	})
}
