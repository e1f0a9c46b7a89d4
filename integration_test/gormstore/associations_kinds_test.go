package gormstore_test

import (
	"context"
	"errors"
	"testing"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// assocBranch has elements that refer to a field which is not its key.
type assocBranch struct {
	ID      int64      `gorm:"primaryKey;autoIncrement:false"`
	Code    string     `gorm:"size:50"`
	Kids    []assocKid `gorm:"foreignKey:BranchCode;references:Code"`
	HouseID *int64
	House   *assocHouse
}

type assocKid struct {
	ID         int64
	BranchCode string `gorm:"size:50"`
	Name       string `gorm:"size:50"`
}

// BeforeSave gives some another key.
func (k *assocKid) BeforeSave(*gorm.DB) error {
	if k.Name == "moved" {
		k.ID += 100
	}
	return nil
}

// assocBranches has a table of branches that takes no INSERT of the type.
func assocBranches(t testing.TB, db *gorm.DB) *gormrepo.Repository[assocBranch] {
	t.Helper()
	check.Must(t, db.AutoMigrate(new(assocHouse), new(assocKid)))
	check.Must(t, db.Exec("CREATE TABLE assoc_branches (id BIGINT PRIMARY KEY, code VARCHAR(50) NOT NULL, house_id BIGINT, other VARCHAR(50) NOT NULL)").Error)
	check.Must(t, db.Exec("INSERT INTO assoc_branches (id, code, other) VALUES (1, 'x', 'o'), (2, '', 'o')").Error)
	r, err := gormrepo.New[assocBranch](db, &gormrepo.Options{Associations: true, Orphans: []string{"Kids"}})
	check.Must(t, err)
	return r
}

func TestGormAssociations_ThatReferToAnotherField(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), assocBranches(t, db)
		check.Must(t, db.Create(&assocKid{Name: "nobody's"}).Error)
		e := &assocBranch{ID: 1, Code: "x", Kids: []assocKid{{Name: "a"}, {Name: "b"}}, House: &assocHouse{Name: "h"}}
		check.Must(t, r.InTx(ctx, func(ctx context.Context) error { return r.Save(ctx, e) })) // which is tried twice
		if got, h := sqldb.Rows[assocKid](t, db), sqldb.Rows[assocHouse](t, db); len(got) != 3 || got[2] != e.Kids[1] || got[2].BranchCode != "x" || len(h) != 1 || e.HouseID == nil || *e.HouseID != h[0].ID {
			t.Fatalf("got %+v, %+v, %+v", got, h, e)
		}
		moved := *e
		moved.Kids = []assocKid{{ID: e.Kids[0].ID, Name: "moved"}}
		if err := r.Save(ctx, &moved); !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("another key: got %v", err)
		}
		e.Kids = e.Kids[:1]
		check.Must(t, r.SaveAll(ctx, []*assocBranch{{ID: 2, Kids: []assocKid{}}, e}))
		if got := sqldb.Rows[assocKid](t, db); len(got) != 2 || got[0].Name != "nobody's" || got[1].Name != "a" {
			t.Fatalf("got %+v", got)
		}
	})
}

// assocNode refers to its own type.
type assocNode struct {
	ID       int64
	Name     string `gorm:"size:50"`
	ParentID *int64
	Parent   *assocNode
	Children []*assocNode `gorm:"foreignKey:ParentID"`
}

func TestGormAssociations_OfOneType(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[assocNode](t, db, &gormrepo.Options{Associations: true})
		parent, child := &assocNode{Name: "p"}, &assocNode{Name: "c"}
		parent.Children, child.Parent = []*assocNode{child}, parent
		check.Must(t, r.Save(ctx, child)) // both know the other
		check.Must(t, r.Save(ctx, parent))
		if got := sqldb.Rows[assocNode](t, db); len(got) != 2 || got[1].ParentID == nil || *got[1].ParentID != parent.ID || got[0].ParentID != nil {
			t.Fatalf("got %+v", got)
		}
		fresh, listed := &assocNode{Name: "f"}, &assocNode{Name: "l"}
		for name, list := range map[string][]*assocNode{
			"refers to one without a key": {{Parent: fresh}, fresh},
			"lists one by the way":        {{Children: []*assocNode{listed}}, listed},
		} {
			if err := r.SaveAll(ctx, list); !errors.Is(err, repo.ErrInvalid) {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if got := sqldb.Rows[assocNode](t, db); len(got) != 2 {
			t.Fatalf("got %+v", got)
		}
	})
}

type assocTeam struct {
	ID      int64
	Name    string         `gorm:"size:50"`
	Members []*assocMember `gorm:"many2many:assoc_team_members"`
}

type assocMember struct {
	ID   int64
	Name string `gorm:"size:50"`
}

type assocTeamMember struct {
	AssocTeamID   int64  `gorm:"primaryKey;autoIncrement:false"`
	AssocMemberID int64  `gorm:"primaryKey;autoIncrement:false"`
	Role          string `gorm:"size:50"`
}

func TestGormAssociations_JoinRowsKeepWhatTheyHave(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		check.Must(t, db.SetupJoinTable(new(assocTeam), "Members", new(assocTeamMember)))
		ctx, r := t.Context(), sqldb.Repository[assocTeam](t, db, &gormrepo.Options{Associations: true, Orphans: []string{"Members"}})
		e := &assocTeam{Name: "a", Members: []*assocMember{{Name: "1"}, {Name: "2"}}}
		check.Must(t, r.Save(ctx, e))
		check.Must(t, db.Exec("UPDATE assoc_team_members SET role = 'r'").Error)
		e.Members = append(e.Members[1:], &assocMember{Name: "3"})
		check.Must(t, r.Save(ctx, e))
		var got []assocTeamMember
		check.Must(t, db.Order("assoc_member_id").Find(&got).Error)
		if len(got) != 2 || got[0] != (assocTeamMember{e.ID, 2, "r"}) || got[1] != (assocTeamMember{e.ID, 3, ""}) || len(sqldb.Rows[assocMember](t, db)) != 3 {
			t.Fatalf("got %+v", got)
		}
	})
}

func TestGormAssociations_CallbacksOfPluginsRun(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		check.Must(t, db.Callback().Create().Before("gorm:create").Register("text", func(tx *gorm.DB) {
			if tx.Statement.Schema.LookUpField("Text") != nil {
				tx.Statement.SetColumn("Text", "by a plugin", true)
			}
		}))
		ctx, r := t.Context(), assocOrders(t, db)
		e := &assocOrder{Lines: []assocLine{{Number: 1}, {Number: 2}}}
		check.Must(t, r.Save(ctx, e))
		e.Lines[0].Text, e.Lines[0].Number = "", 3
		e.Lines = append(e.Lines, assocLine{Number: 4})
		check.Must(t, r.Save(ctx, e))
		if got := sqldb.Rows[assocLine](t, db); len(got) != 3 || got[0] != (assocLine{1, e.ID, 3, "by a plugin"}) || got[1].Text != "by a plugin" || got[2].Text != "by a plugin" {
			t.Fatalf("got %+v", got)
		}
	})
}

func TestGormAssociations_OptionsAreChecked(t *testing.T) {
	t.Parallel()
	db := sqldb.SQLite(t)
	for _, o := range []gormrepo.Options{
		{Orphans: []string{"Books"}},
		{Preload: []string{"Books"}},
		{Associations: true, Orphans: []string{"Name"}},
		{Associations: true, Orphans: []string{"books"}},
		{Associations: true, Orphans: []string{""}},
		{Associations: true, Orphans: []string{"House"}},
		{Associations: true, Orphans: []string{"Books.Pages.Book"}},
		{Associations: true, Orphans: []string{"Books.Other"}},
		{Associations: true, Preload: []string{"Other"}},
	} {
		if _, err := gormrepo.New[assocAuthor](db, &o); !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("%+v: got %v", o, err)
		}
	}
	type tagged struct {
		ID   int64
		Tags []*assocTag `gorm:"many2many:assoc_marked_tags"`
	}
	type markedTag struct {
		TaggedID, AssocTagID int64 `gorm:"primaryKey"`
		DeletedAt            gorm.DeletedAt
	}
	check.Must(t, db.SetupJoinTable(new(tagged), "Tags", new(markedTag)))
	if _, err := gormrepo.New[tagged](db, &gormrepo.Options{Associations: true, Orphans: []string{"Tags"}}); !errors.Is(err, repo.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
	type unkeyed struct{ OwnerID int64 }
	type owner struct {
		ID       int64
		Unkeyeds []unkeyed `gorm:"foreignKey:OwnerID"`
	}
	if _, err := gormrepo.New[owner](db, &gormrepo.Options{Associations: true}); !errors.Is(err, repo.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}
