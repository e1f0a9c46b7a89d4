package gormstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

type assocHouse struct {
	ID      int64
	Name    string `gorm:"size:50"`
	Version int64  `holdfast:"version"`
}

type assocTag struct {
	ID   int64
	Name string `gorm:"size:50"`
}

type assocAuthor struct {
	ID      int64
	Name    string      `gorm:"size:50"`
	Books   []assocBook `gorm:"foreignKey:AuthorID"`
	Card    *assocCard  `gorm:"foreignKey:AuthorID"`
	HouseID *int64
	House   *assocHouse
	Tags    []*assocTag  `gorm:"many2many:assoc_author_tags"`
	Notes   []*assocNote `gorm:"polymorphic:Owner"`
	Version int64        `holdfast:"version"`
}

type assocBook struct {
	ID        int64
	AuthorID  int64
	Title     string `gorm:"size:50;unique"`
	Version   int64  `holdfast:"version"`
	DeletedAt gorm.DeletedAt
	Pages     []*assocPage `gorm:"foreignKey:BookID"`
}

type assocPage struct {
	BookID int64  `gorm:"primaryKey;autoIncrement:false"`
	Number int    `gorm:"primaryKey;autoIncrement:false"`
	Text   string `gorm:"size:50"`
	Book   *assocBook
}

type assocCard struct {
	ID       int64
	AuthorID int64  `gorm:"unique"`
	Number   string `gorm:"size:50"`
}

type assocNote struct {
	ID        int64
	OwnerID   int64
	OwnerType string     `gorm:"size:50"`
	Text      string     `gorm:"size:50"`
	GoneAt    *time.Time `holdfast:"deleted"`
}

func associated(t testing.TB, db *gorm.DB, opts gormrepo.Options) *gormrepo.Repository[assocAuthor] {
	t.Helper()
	check.Must(t, db.AutoMigrate(new(assocHouse), new(assocTag), new(assocAuthor), new(assocBook), new(assocPage), new(assocCard), new(assocNote)))
	opts.Associations = true
	r, err := gormrepo.New[assocAuthor](db, &opts)
	check.Must(t, err)
	return r
}

// assocWays are all methods that save a stored author, which set changes and doc says the
// same of.
func assocWays(r *gormrepo.Repository[assocAuthor], id int64, set func(*assocAuthor), doc string) map[string]func(ctx context.Context) error {
	read := func(ctx context.Context) (*assocAuthor, error) {
		e, err := r.FindByID(ctx, id)
		if err == nil {
			set(e)
		}
		return e, err
	}
	return map[string]func(ctx context.Context) error{
		"Save": func(ctx context.Context) error {
			e, err := read(ctx)
			return errors.Join(err, r.Save(ctx, e))
		},
		"SaveAll": func(ctx context.Context) error {
			e, err := read(ctx)
			return errors.Join(err, r.SaveAll(ctx, []*assocAuthor{{Name: "by the way"}, e}))
		},
		"Update": func(ctx context.Context) error {
			_, err := r.Update(ctx, id, func(e *assocAuthor) error { set(e); return nil })
			return err
		},
		"Replace": func(ctx context.Context) error {
			_, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{fmt.Sprintf(`{"id":%d,"name":"replaced"%s}`, id, doc)}})
			return err
		},
		"Merge": func(ctx context.Context) error {
			_, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{fmt.Sprintf(`{"id":%d%s}`, id, doc)}}, repo.Merge())
			return err
		},
		"InTx": func(ctx context.Context) error {
			return r.InTx(ctx, func(ctx context.Context) error {
				e, err := read(ctx)
				return errors.Join(err, r.Save(ctx, e))
			})
		},
	}
}

// assocOrder has lines with a unique number, which are gone when they are deleted.
type assocOrder struct {
	ID    int64
	Buyer string      `gorm:"size:50"`
	Lines []assocLine `gorm:"foreignKey:OrderID"`
}

type assocLine struct {
	ID      int64
	OrderID int64  `gorm:"uniqueIndex:idx_assoc_line"`
	Number  int    `gorm:"uniqueIndex:idx_assoc_line"`
	Text    string `gorm:"size:50;not null"`
}

func assocOrders(t testing.TB, db *gorm.DB) *gormrepo.Repository[assocOrder] {
	t.Helper()
	check.Must(t, db.AutoMigrate(new(assocOrder), new(assocLine)))
	r, err := gormrepo.New[assocOrder](db, &gormrepo.Options{Associations: true, Orphans: []string{"Lines"}})
	check.Must(t, err)
	return r
}
