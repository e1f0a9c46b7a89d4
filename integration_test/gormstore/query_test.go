package gormstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// Place is embedded by a tag, Audit as Go embeds.
type Place struct {
	City string `gorm:"size:50"`
}

// Audit has the creation time under a column name of its own.
type Audit struct {
	By   string    `gorm:"size:50;column:created_by"`
	Made time.Time `holdfast:"created"`
}

type gormPerson struct {
	ID   int64
	Name string `gorm:"size:50"`
	Home Place  `gorm:"embedded;embeddedPrefix:home_"`
	Work *Place `gorm:"embedded;embeddedPrefix:work_"`
	*Audit
	Nick  *string           `gorm:"size:50"`
	Since int64             `gorm:"serializer:unixtime;type:timestamp"` // a time in the database
	More  map[string]string `gorm:"serializer:json"`
	Skip  string            `gorm:"-"`
}

func people(t testing.TB, db *gorm.DB) *gormrepo.Repository[gormPerson] {
	t.Helper()
	r := sqldb.Repository[gormPerson](t, db, nil)
	nick := "lady"
	at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	check.Must(t, r.SaveAll(t.Context(), []*gormPerson{
		{ID: 1, Name: "Ada", Home: Place{"London"}, Work: &Place{"Turin"}, Audit: &Audit{By: "x"}, Nick: &nick, Since: at.Unix()},
		{ID: 2, Name: "ada", Home: Place{"Turin"}, Audit: &Audit{By: "y"}, Since: at.AddDate(1, 0, 0).Unix()},
		{ID: 3, Name: "100%_!*?[a]\\", Home: Place{"Rome"}, Work: &Place{"London"}, Audit: &Audit{By: "x"}, Since: at.AddDate(2, 0, 0).Unix()},
	}))
	return r
}

func TestGormQueryFields(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), people(t, db)
		name, nick := repo.F[gormPerson, string]("Name"), repo.F[gormPerson, *string]("Nick")
		since := repo.F[gormPerson, int64]("Since")
		for what, c := range map[string]struct {
			q    []repo.Option
			want []int64
		}{
			"Embedded":          {[]repo.Option{repo.F[gormPerson, string]("Home.City").Eq("Turin")}, []int64{2}},
			"EmbeddedPointer":   {[]repo.Option{repo.F[gormPerson, string]("Work.City").Eq("London")}, []int64{3}},
			"EmbeddedNull":      {[]repo.Option{repo.F[gormPerson, string]("Work.City").Null()}, []int64{2}},
			"Promoted":          {[]repo.Option{repo.F[gormPerson, string]("By").Eq("x")}, []int64{1, 3}},
			"ThroughEmbedded":   {[]repo.Option{repo.F[gormPerson, string]("Audit.By").Eq("y")}, []int64{2}},
			"Serialized":        {[]repo.Option{since.Ge(time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC).Unix())}, []int64{2, 3}},
			"SerializedIn":      {[]repo.Option{since.In(time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC).Unix())}, []int64{2}},
			"PrefixKeepsCase":   {[]repo.Option{name.Prefix("A")}, []int64{1}},
			"PrefixIsLiteral":   {[]repo.Option{name.Prefix("100%_!*?[a]\\")}, []int64{3}},
			"PrefixNoWildcard":  {[]repo.Option{name.Prefix("1_0")}, nil},
			"PrefixNoStar":      {[]repo.Option{name.Prefix("A*")}, nil},
			"PrefixNothing":     {[]repo.Option{name.Prefix("")}, []int64{1, 2, 3}},
			"PrefixSkipsNull":   {[]repo.Option{nick.Prefix("")}, []int64{1}},
			"InOfNone":          {[]repo.Option{name.In()}, nil},
			"InOfNull":          {[]repo.Option{nick.In(nil)}, nil},
			"EqualToNull":       {[]repo.Option{nick.Eq(nil)}, nil},
			"NotEqualSkipsNull": {[]repo.Option{nick.Ne(new(string))}, []int64{1}},
			"AnyOf":             {[]repo.Option{repo.Or(name.Eq("Ada"), nick.Null()), since.Lt(time.Date(2021, 6, 1, 0, 0, 0, 0, time.UTC).Unix())}, []int64{1, 2}},
			"AnyOfNone":         {[]repo.Option{repo.Or()}, nil},
			"OffsetAlone":       {[]repo.Option{repo.Offset(1), repo.F[gormPerson, int64]("ID").Asc()}, []int64{2, 3}},
			"NullsFirst":        {[]repo.Option{nick.Asc(), repo.Limit(1), repo.Offset(2)}, []int64{1}},
			"NullsLastBackward": {[]repo.Option{nick.Desc(), repo.Limit(1)}, []int64{1}},
		} {
			found, err := r.Find(ctx, c.q...)
			if err != nil {
				t.Errorf("%s: %v", what, err)
				continue
			}
			var got []int64
			for _, e := range found {
				got = append(got, e.ID)
			}
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("%s: got %v, want %v", what, got, c.want)
			}
			if n, err := r.Count(ctx, c.q...); err != nil || len(c.want) > 0 && n < int64(len(c.want)) || len(c.want) == 0 && n != 0 {
				t.Errorf("%s: counted %d, %v", what, n, err)
			}
		}
		for what, q := range map[string]repo.Option{
			"NotAColumn":     repo.F[gormPerson, string]("Skip").Eq("x"),
			"ACompositeOne":  repo.F[gormPerson, Place]("Home").Null(),
			"SortedByNothin": repo.F[gormPerson, string]("Skip").Asc(),
			"OtherNative":    repo.Native("name = 'x'"),
			"NilNative":      repo.Native((func(*gorm.DB) *gorm.DB)(nil)),
		} {
			if _, err := r.Find(ctx, q); !errors.Is(err, repo.ErrUnsupported) {
				t.Errorf("%s: got %v", what, err)
			}
			if _, err := r.Count(ctx, q); !errors.Is(err, repo.ErrUnsupported) {
				t.Errorf("%s: counting: got %v", what, err)
			}
		}
	})
}

func TestGormQueryNative(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[gormSoft](t, db, nil)
		list := []*gormSoft{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "d"}}
		check.Must(t, r.SaveAll(ctx, list))
		check.Must(t, r.Delete(ctx, list[3]))
		name := repo.F[gormSoft, string]("Name")
		native := func(fn func(*gorm.DB) *gorm.DB) repo.Option { return repo.Native(fn) }
		for what, c := range map[string]struct {
			q    []repo.Option
			want string
		}{
			"Where": {[]repo.Option{native(func(db *gorm.DB) *gorm.DB { return db.Where("name > ?", "a") })}, "bc"},
			// An Or in it opens neither the other conditions nor the mark.
			"Or": {[]repo.Option{name.Ne("a"), native(func(db *gorm.DB) *gorm.DB {
				return db.Where("name = ?", "a").Or("name = ?", "b").Or("name = ?", "d")
			})}, "b"},
			"Two": {[]repo.Option{
				native(func(db *gorm.DB) *gorm.DB { return db.Where("name = ?", "a").Or("name = ?", "b") }),
				native(func(db *gorm.DB) *gorm.DB { return db.Where("name = ?", "b").Or("name = ?", "c") }),
			}, "b"},
			"Group": {[]repo.Option{native(func(db *gorm.DB) *gorm.DB {
				return db.Where("name < ?", "c").Where(db.Where("name = ?", "a").Or("name = ?", "c"))
			})}, "a"},
			"Unscoped": {[]repo.Option{name.Ge("c"), native(func(db *gorm.DB) *gorm.DB { return db.Unscoped() })}, "cd"},
			"Nothing":  {[]repo.Option{native(func(db *gorm.DB) *gorm.DB { return db })}, "abc"},
		} {
			found, err := r.Find(ctx, append(c.q, name.Asc())...)
			check.Must(t, err)
			var text strings.Builder
			for _, e := range found {
				text.WriteString(e.Name)
			}
			got := text.String()
			if n, err := r.Count(ctx, c.q...); got != c.want || err != nil || int(n) != len(c.want) {
				t.Errorf("%s: got %q and %d, want %q, %v", what, got, n, c.want, err)
			}
		}
		if _, err := r.Find(ctx, native(func(*gorm.DB) *gorm.DB { return nil })); !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("nil from a native option: %v", err)
		}
		if _, err := r.Find(ctx, native(func(db *gorm.DB) *gorm.DB { return db.Where("no_such_column = 1") })); err == nil {
			t.Error("no error")
		}
	})
}

// A mark that GORM does not know is left out like one that it does.
func TestGormQueryLeavesOutMarked(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[sqldb.GormVersioned](t, db, nil)
		e := &sqldb.GormVersioned{Name: "a"}
		check.Must(t, r.SaveAll(ctx, []*sqldb.GormVersioned{e, {Name: "b"}}))
		check.Must(t, r.DeleteByID(ctx, e.ID))
		check.Must(t, r.DeleteByID(ctx, e.ID))
		or := repo.Native(func(db *gorm.DB) *gorm.DB { return db.Where("1 = 1").Or("1 = 1") })
		if got, err := r.Find(ctx, or); err != nil || len(got) != 1 {
			t.Fatalf("got %v, %v", got, err)
		}
		unscoped := repo.Native(func(db *gorm.DB) *gorm.DB { return db.Unscoped() })
		if got, err := r.Find(ctx, unscoped); err != nil || len(got) != 2 {
			t.Fatalf("got %v, %v", got, err)
		}
	})
}

// Repositories with different names for their tables share a transaction.
func TestGormTxSpansNamingStrategies(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, on sqldb.Backend) {
		db := on.Open(t)
		ctx, a, b := t.Context(), sqldb.Repository[gormItem](t, db, nil), sqldb.Repository[gormItem](t, sqldb.Renamed(t, db), nil)
		stop := errors.New("stop")
		for _, want := range []error{stop, nil} {
			err := a.InTx(ctx, func(ctx context.Context) error {
				check.Must(t, a.Save(ctx, &gormItem{ID: 1}))
				check.Must(t, b.SaveAll(ctx, gormItems(3, 1)))
				return b.InTx(ctx, func(ctx context.Context) error {
					if n, err := b.Count(ctx); n != 3 || err != nil {
						t.Errorf("inside: %d, %v", n, err)
					}
					return want
				})
			})
			if err != want { //nolint:errorlint // fn's error comes back as it is
				t.Fatalf("got %v", err)
			}
			na, err := a.Count(ctx)
			check.Must(t, err)
			nb, err := b.Count(ctx)
			check.Must(t, err)
			if want != nil && na+nb != 0 || want == nil && na+nb != 4 {
				t.Fatalf("after %v: %d and %d", want, na, nb)
			}
		}
	})
}

func TestGormErrorsNameTheCall(t *testing.T) {
	t.Parallel()
	db := sqldb.SQLite(t)
	r, err := gormrepo.New[gormItem](db, nil) // there is no table
	check.Must(t, err)
	ctx := t.Context()
	_, find := r.Find(ctx)
	_, byID := r.FindByID(ctx, 1)
	for doing, err := range map[string]error{"save": r.Save(ctx, &gormItem{}), "find": find, "find by id": byID, "delete": r.Delete(ctx, &gormItem{})} {
		if err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("gormrepo: %s: ", doing)) || !strings.Contains(err.Error(), "no such table") {
			t.Errorf("%s: %v", doing, err)
		}
	}
}
