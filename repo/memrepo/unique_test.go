package memrepo_test

import (
	"testing"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

type account struct {
	gorm.Model
	Mail   string  `gorm:"unique"`
	Tenant string  `gorm:"uniqueIndex:tenant_login"`
	Login  *string `gorm:"index:tenant_login,unique"`
	Badge  int     `gorm:"index"`
	Seat   string  `gorm:"unique:false"`
}

func newAccount(mail, tenant string, login *string) *account {
	return &account{Mail: mail, Tenant: tenant, Login: login}
}

func TestUniqueTags(t *testing.T) {
	t.Parallel()
	ctx, r := t.Context(), open[account](t, nil)
	x, y := "x", "y"
	must(t, r.Save(ctx, newAccount("1", "a", &x)))
	for name, c := range map[string]struct {
		e    *account
		want error
	}{
		"FieldAlone":         {newAccount("1", "b", &y), repo.ErrDuplicateKey},
		"BothOfTheIndex":     {newAccount("2", "a", &x), repo.ErrDuplicateKey},
		"OneOfTheIndex":      {newAccount("3", "a", &y), nil},
		"OtherOfTheIndex":    {newAccount("4", "b", &x), nil},
		"NoValueIsFree":      {newAccount("5", "a", nil), nil},
		"NoValueIsFreeTwice": {newAccount("6", "a", nil), nil},
	} {
		err := r.Save(ctx, c.e)
		if c.want == nil {
			must(t, err)
			continue
		}
		if wantErr(t, err, c.want); t.Failed() {
			t.Fatal(name)
		}
	}
}

// TestUniqueCountsDeletedOnes: a database's index does not know of the mark.
func TestUniqueCountsDeletedOnes(t *testing.T) {
	t.Parallel()
	ctx, r := t.Context(), open[account](t, nil)
	e := newAccount("1", "a", nil)
	must(t, r.Save(ctx, e))
	must(t, r.Delete(ctx, e))
	wantErr(t, r.Save(ctx, newAccount("1", "b", nil)), repo.ErrDuplicateKey)
}

func TestUniqueOption(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	opts := &memrepo.Options{Unique: [][]string{{"Name"}}}
	r := open[small](t, opts)
	must(t, r.Save(ctx, &small{Name: "a"}))
	wantErr(t, r.Save(ctx, &small{Name: "a"}), repo.ErrDuplicateKey)
	if opts.Now != nil || opts.NewID != nil {
		t.Fatal("the options were written to")
	}
	for _, bad := range [][][]string{{{"Nmae"}}, {{}}} {
		_, err := memrepo.New[small](&memrepo.Options{Unique: bad})
		wantErr(t, err, repo.ErrInvalid)
	}
}

// TestUniqueAfterRollback: values of a batch that failed are free.
func TestUniqueAfterRollback(t *testing.T) {
	t.Parallel()
	ctx, r := t.Context(), open[small](t, &memrepo.Options{Unique: [][]string{{"Name"}}})
	a := &small{Name: "a"}
	must(t, r.Save(ctx, a))
	moved := &small{ID: a.ID, Name: "moved"}
	wantErr(t, r.SaveAll(ctx, []*small{moved, {Name: "b"}, {Name: "b"}}), repo.ErrDuplicateKey)
	wantErr(t, r.Save(ctx, &small{Name: "a"}), repo.ErrDuplicateKey)
	must(t, r.SaveAll(ctx, []*small{{Name: "b"}, {Name: "moved"}}))
}
