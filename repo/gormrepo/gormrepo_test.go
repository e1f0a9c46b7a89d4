package gormrepo_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/utils/tests"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// dialector makes GORM build statements for a dialect without its driver.
type dialector struct {
	tests.DummyDialector
	name string
}

func (d dialector) Name() string { return d.name }

// built opens a database that executes nothing.
func built(t *testing.T, name string) *gorm.DB {
	t.Helper()
	db, err := gorm.Open(dialector{name: name}, &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

type user struct {
	ID   int64
	Name string
}

type withoutKey struct{ Name string }

type markedTwice struct {
	ID   int64
	A, B int64 `holdfast:"version"`
}

type markedNoColumn struct {
	ID  int64
	Rev int64 `gorm:"-" holdfast:"version"`
}

type unparsable struct {
	ID   int64
	Size int `gorm:"default:many"`
}

type pair struct {
	A, B int64 `gorm:"primaryKey;autoIncrement:false"`
}

type assigned struct {
	ID int64 `gorm:"primaryKey;autoIncrement:false"`
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	db := built(t, "postgres")
	broken := built(t, "postgres")
	_ = broken.AddError(errors.New("broken"))
	newID := &gormrepo.Options{NewID: func(context.Context) (any, error) { return 1, nil }}
	for name, c := range map[string]struct {
		err  func() error
		want error
	}{
		"NilDatabase":    {func() error { _, err := gormrepo.New[user](nil, nil); return err }, repo.ErrInvalid},
		"EmptyDatabase":  {func() error { _, err := gormrepo.New[user](&gorm.DB{}, nil); return err }, repo.ErrInvalid},
		"FailedDatabase": {func() error { _, err := gormrepo.New[user](broken, nil); return err }, repo.ErrInvalid},
		"WithACondition": {func() error { _, err := gormrepo.New[user](db.Where("id = 1"), nil); return err }, repo.ErrInvalid},
		"WithATable":     {func() error { _, err := gormrepo.New[user](db.Table("x"), nil); return err }, repo.ErrInvalid},
		"WithAModel":     {func() error { _, err := gormrepo.New[user](db.Model(&user{}), nil); return err }, repo.ErrInvalid},
		"WithAScope": {func() error {
			_, err := gormrepo.New[user](db.Scopes(func(db *gorm.DB) *gorm.DB { return db }), nil)
			return err
		}, repo.ErrInvalid},
		"WithAnOmission":  {func() error { _, err := gormrepo.New[user](db.Omit("Name"), nil); return err }, repo.ErrInvalid},
		"WithAPreload":    {func() error { _, err := gormrepo.New[user](db.Preload("Name"), nil); return err }, repo.ErrInvalid},
		"WithASetting":    {func() error { _, err := gormrepo.New[user](db.Set("tenant", "A"), nil); return err }, repo.ErrInvalid},
		"WithAttributes":  {func() error { _, err := gormrepo.New[user](db.Attrs(user{Name: "x"}), nil); return err }, repo.ErrInvalid},
		"OnlyTried":       {func() error { _, err := gormrepo.New[user](db.Session(&gorm.Session{DryRun: true}), nil); return err }, repo.ErrInvalid},
		"UnknownDialect":  {func() error { _, err := gormrepo.New[user](built(t, "sqlserver"), nil); return err }, repo.ErrUnsupported},
		"Pointer":         {func() error { _, err := gormrepo.New[*user](db, nil); return err }, repo.ErrInvalid},
		"Number":          {func() error { _, err := gormrepo.New[int](db, nil); return err }, repo.ErrInvalid},
		"Slice":           {func() error { _, err := gormrepo.New[[]user](db, nil); return err }, repo.ErrInvalid},
		"WithoutKey":      {func() error { _, err := gormrepo.New[withoutKey](db, nil); return err }, repo.ErrInvalid},
		"MarkedTwice":     {func() error { _, err := gormrepo.New[markedTwice](db, nil); return err }, repo.ErrInvalid},
		"MarkedNoColumn":  {func() error { _, err := gormrepo.New[markedNoColumn](db, nil); return err }, repo.ErrInvalid},
		"Unparsable":      {func() error { _, err := gormrepo.New[unparsable](db, nil); return err }, repo.ErrInvalid},
		"NewIDOfPair":     {func() error { _, err := gormrepo.New[pair](db, newID); return err }, repo.ErrInvalid},
		"NewIDOfAssigned": {func() error { _, err := gormrepo.New[assigned](db, newID); return err }, repo.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := c.err()
			if !errors.Is(err, c.want) || !strings.HasPrefix(err.Error(), "gormrepo: ") {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestNewTakesSessions(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"postgres", "mysql", "sqlite"} {
		db := built(t, name)
		for _, db := range []*gorm.DB{db, db.WithContext(t.Context()), db.Session(&gorm.Session{SkipHooks: true}), db.Debug()} {
			if _, err := gormrepo.New[user](db, &gormrepo.Options{}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestBadArgumentsTouchNoDatabase(t *testing.T) {
	t.Parallel()
	// There is no connection: to use it would panic.
	r, err := gormrepo.New[user](built(t, "postgres"), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	find := func(_ any, err error) error { return err }
	for name, err := range map[string]error{
		"SaveNil":         r.Save(ctx, nil),
		"SaveAllNil":      r.SaveAll(ctx, []*user{{}, nil}),
		"DeleteNil":       r.Delete(ctx, nil),
		"FindByText":      find(r.FindByID(ctx, "1")),
		"FindByNil":       find(r.FindByID(ctx, nil)),
		"FindByList":      find(r.FindByID(ctx, []int64{1})),
		"FindAllByText":   find(r.FindAllByID(ctx, []any{1, "2"})),
		"ExistsByFloat":   find(r.ExistsByID(ctx, 1.5)),
		"DeleteByText":    r.DeleteByID(ctx, "1"),
		"DeleteAllByText": find(r.DeleteAllByID(ctx, []any{1, "2"})),
		"UnknownField":    find(r.Find(ctx, repo.F[user, string]("Nmae").Eq("x"))),
		"CountUnknown":    find(r.Count(ctx, repo.F[user, string]("Nmae").Null())),
		"UpdateNil":       find(r.Update(ctx, 1, nil)),
		"UpdateText":      find(r.Update(ctx, "1", func(*user) error { return nil })),
		"InTxNil":         r.InTx(ctx, nil),
		"BadDocument":     find(r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{`{"id":"x"}`}})),
	} {
		if !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := find(r.SmartSave(ctx, repo.SmartSaveDTO{})); !errors.Is(err, repo.ErrEmptySave) {
		t.Errorf("empty list: got %v", err)
	}
	if err := find(r.SaveDocuments(ctx, nil)); !errors.Is(err, repo.ErrEmptySave) {
		t.Errorf("nil documents: got %v", err)
	}
	for name, err := range map[string]error{
		"SaveAll": r.SaveAll(ctx, nil), "Delete": r.Delete(ctx), "FindAllByID": find(r.FindAllByID(ctx, nil)),
		"DeleteAllByID": find(r.DeleteAllByID(ctx, nil)),
	} {
		if err != nil {
			t.Errorf("%s of none: %v", name, err)
		}
	}
}

func TestEndedContextTouchesNoDatabase(t *testing.T) {
	t.Parallel()
	r, err := gormrepo.New[user](built(t, "postgres"), nil)
	if err != nil {
		t.Fatal(err)
	}
	lost := errors.New("the lock is lost")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(lost)
	find := func(_ any, err error) error { return err }
	for name, err := range map[string]error{
		"Save": r.Save(ctx, &user{}), "SaveAll": r.SaveAll(ctx, nil), "Delete": r.Delete(ctx), "DeleteByID": r.DeleteByID(ctx, 1),
		"DeleteAllByID": find(r.DeleteAllByID(ctx, nil)), "FindByID": find(r.FindByID(ctx, 1)), "Find": find(r.Find(ctx)),
		"FindAllByID": find(r.FindAllByID(ctx, nil)), "ExistsByID": find(r.ExistsByID(ctx, 1)), "Count": find(r.Count(ctx)),
		"SmartSave": find(r.SmartSave(ctx, repo.SmartSaveDTO{})), "SaveDocuments": find(r.SaveDocuments(ctx, nil)),
		"Update": find(r.Update(ctx, 1, func(*user) error { return nil })),
		"InTx":   r.InTx(ctx, func(context.Context) error { return nil }),
	} {
		if !errors.Is(err, context.Canceled) || !errors.Is(err, lost) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestOptionsAreNotWrittenTo(t *testing.T) {
	t.Parallel()
	opts := &gormrepo.Options{Revive: true}
	if _, err := gormrepo.New[user](built(t, "sqlite"), opts); err != nil || opts.NewID != nil || !opts.Revive || opts.Associations {
		t.Fatalf("got %+v, %v", opts, err)
	}
}
