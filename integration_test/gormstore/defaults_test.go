package gormstore_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// GormSettings has literal defaults. Entities with it have an assigned key, and one
// that the database makes.
type GormSettings struct {
	Age   int     `gorm:"default:18"`
	On    bool    `gorm:"default:true"`
	Kind  string  `gorm:"default:abc;size:10"`
	Rate  float64 `gorm:"default:1.5"`
	Opt   *bool   `gorm:"default:true"`
	Plain int
}

type gormAssignedKey struct {
	ID string `gorm:"primaryKey;size:40"`
	GormSettings
}

type gormNumbered struct {
	ID int64 `gorm:"primaryKey"`
	GormSettings
}

func (s GormSettings) String() string {
	opt := "nil"
	if s.Opt != nil {
		opt = fmt.Sprint(*s.Opt)
	}
	return fmt.Sprintf("%v %v %s %v %s %v", s.Age, s.On, s.Kind, s.Rate, opt, s.Plain)
}

// What GORM's Create gives, and what an entity without defaults has.
const (
	allDefaults = "18 true abc 1.5 true 0"
	noDefaults  = "0 false  0 nil 0"
)

func TestGormDefaults_AreThoseOfCreateWhereARowIsInserted(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		r := sqldb.Repository[gormAssignedKey](t, db, nil)
		check.Must(t, gormrepo.MigrateFence(t.Context(), db))
		check.Must(t, db.Create(&gormAssignedKey{ID: "create"}).Error)
		fence := &severalClaims{}
		for name, ctx := range map[string]context.Context{"plain": t.Context(), "fenced": driver.WithFence(t.Context(), fence)} {
			one := &gormAssignedKey{ID: "one " + name}
			check.Must(t, r.Save(ctx, one))
			list := []*gormAssignedKey{{ID: "x " + name}, {ID: one.ID}, {ID: "y " + name, GormSettings: GormSettings{Age: 3}}, {ID: "z " + name}}
			check.Must(t, r.SaveAll(ctx, list))
			inside := &gormAssignedKey{ID: "in " + name}
			check.Must(t, r.InTx(ctx, func(ctx context.Context) error { return r.Save(ctx, inside) }))
			for e, want := range map[*gormAssignedKey]string{
				one: allDefaults, list[0]: allDefaults, list[1]: noDefaults, list[2]: "3 true abc 1.5 true 0", list[3]: allDefaults, inside: allDefaults,
			} {
				if e.String() != want {
					t.Errorf("%s in memory is %s, want %s", e.ID, e.GormSettings, want)
				}
			}
			for _, e := range append(list, inside) {
				got, err := r.FindByID(ctx, e.ID)
				check.Must(t, err)
				if got.String() != e.String() {
					t.Errorf("%s is stored as %s, and is %s in memory", e.ID, got.GormSettings, e.GormSettings)
				}
			}
		}
		created, err := r.FindByID(t.Context(), "create")
		check.Must(t, err)
		if created.String() != allDefaults {
			t.Errorf("Create gives %s", created.GormSettings)
		}
	})
}

func TestGormDefaults_WhatADocumentNamesIsKept(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		check.Must(t, gormrepo.MigrateFence(t.Context(), db))
		for name, ctx := range map[string]context.Context{"plain": t.Context(), "fenced": driver.WithFence(t.Context(), &severalClaims{})} {
			assigned, numbered := sqldb.Repository[gormAssignedKey](t, db, nil), sqldb.Repository[gormNumbered](t, db, nil)
			for mode, opts := range map[string][]repo.SmartSaveOption{"replace": nil, "merge": {repo.Merge()}, "non-null": {repo.MergeNonNull()}} {
				null := map[bool]string{true: "true", false: "nil"}[mode == "non-null"]
				for i, c := range [][2]string{
					{`"on":false`, "18 false abc 1.5 true 0"},
					{`"on":false,"age":0,"plain":1`, "0 false abc 1.5 true 1"},
					{`"kind":"","rate":0,"on":true`, "18 true  0 true 0"},
					{`"opt":null`, "18 true abc 1.5 " + null + " 0"},
					{`"opt":false`, "18 true abc 1.5 false 0"},
					{`"plain":2`, "18 true abc 1.5 true 2"},
				} {
					id := fmt.Sprint(name, mode, i)
					out, err := assigned.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{fmt.Sprintf(`{"id":%q,%s}`, id, c[0]), fmt.Sprintf(`{"id":%q}`, id+"b")}}, opts...)
					check.Must(t, err)
					got, err := assigned.FindByID(ctx, id)
					check.Must(t, err)
					if got.String() != c[1] || out[0].String() != c[1] || out[1].String() != allDefaults {
						t.Errorf("%s: %s became %s, returned %s and %s, want %s", id, c[0], got.GormSettings, out[0].GormSettings, out[1].GormSettings, c[1])
					}
					single, err := numbered.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{"{" + c[0] + "}"}}, opts...)
					check.Must(t, err)
					again, err := numbered.FindByID(ctx, single[0].ID)
					check.Must(t, err)
					if again.String() != c[1] || single[0].String() != c[1] {
						t.Errorf("%s: numbered %s became %s, returned %s, want %s", id, c[0], again.GormSettings, single[0].GormSettings, c[1])
					}
				}
			}
			// Of a stored row Replace clears what is not named.
			out, err := assigned.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{fmt.Sprintf(`{"id":%q}`, name+"replace5")}})
			check.Must(t, err)
			if out[0].String() != noDefaults {
				t.Errorf("replaced by nothing it is %s", out[0].GormSettings)
			}
		}
	})
}

type gormListDefault struct {
	ID   string `gorm:"primaryKey;size:40"`
	Tags []byte `gorm:"type:varchar(20);default:'xyz'"`
	N    int
}

// A default that GORM cannot read is the database's own.
func TestGormDefaults_OfOtherTypes(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		check.Must(t, db.Exec("CREATE TABLE gorm_list_defaults (id varchar(40) primary key, tags varchar(20) default 'xyz', n integer)").Error)
		r, err := gormrepo.New[gormListDefault](db, nil)
		check.Must(t, err)
		e := &gormListDefault{ID: "a"}
		check.Must(t, r.Save(t.Context(), e))
		if string(e.Tags) != "xyz" {
			t.Errorf("inserted with %q", e.Tags)
		}
		check.Must(t, r.SaveAll(t.Context(), []*gormListDefault{{ID: "a", N: 1}, {ID: "b"}, {ID: "c", Tags: []byte("c")}}))
		var got []string
		check.Must(t, db.Raw("SELECT COALESCE(tags, 'NULL') FROM gorm_list_defaults ORDER BY id").Scan(&got).Error)
		if fmt.Sprint(got) != "[NULL xyz c]" {
			t.Errorf("got %v", got)
		}
	})
}
