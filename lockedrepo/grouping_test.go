package lockedrepo_test

import (
	"context"
	"testing"

	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

// A repository says how its calls are written, and why.
func TestGrouping_Says(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	mem := func(o *memrepo.Options) repo.Repository[order] {
		r, err := memrepo.New[order](o)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	newID := func(context.Context) (any, error) { return "x", nil }
	for name, c := range map[string]struct {
		inner repo.Repository[order]
		o     lockedrepo.Options
		want  string
	}{
		"Together": {mem(nil), lockedrepo.Options{}, "calls that wait are written by one step"},
		"Separate": {mem(nil), lockedrepo.Options{Separate: true}, "each call is written by itself: Options.Separate"},
		"Wrapped": {b.inner, lockedrepo.Options{}, "each call is written by itself: the repository is wrapped by another one, " +
			"whose own Save would be left out"},
		"NewID": {mem(&memrepo.Options{NewID: newID}), lockedrepo.Options{}, "each call is written by itself: " +
			"Options.NewID makes keys out of a caller's context"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := lockedrepo.New(c.inner, b.locker, &c.o)
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Grouping(); got != c.want {
				t.Errorf("%q, not %q", got, c.want)
			}
		})
	}
}
