package lockedrepos_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/repo"
)

// Of saves that fail together all are stored that can be, in their order, and each call gets
// its own error.
func TestGroup_GoesOnWithoutTheBadOnes(t *testing.T) {
	onGroups(t, func(ctx context.Context, t *testing.T, s *groupSite[groupRow]) {
		check.Must(t, s.plain.Save(ctx, &groupRow{ID: 7, Name: "wanted"}))
		bad := &groupRow{ID: 30, Name: "bad", N: -1}
		calls := [][]*groupRow{
			{row(20)},                           // waits for the lock by itself
			{{ID: 8, Name: "wanted"}},           // too early
			{row(21), bad, row(22)},             // a list fails as a whole
			{{ID: 7, Name: "left"}},             // which makes the name free
			{{ID: 9, Name: "wanted"}},           // and now it is
			{{ID: 10, Name: "wanted"}},          // too late
			{row(23), row(24)},                  //
			{{ID: 7, Name: "left", N: 1}},       // one entity twice: for a later transaction
			{row(25)},                           //
			{{ID: 31, Name: "worse", N: -2}},    //
			{row(26), {ID: 11, Name: "wanted"}}, // by name
			{{ID: 26, Name: "name 26", N: 26}},  // its row was not stored before
		}
		for i, es := range calls {
			s.call(ctx, t, func() error {
				if len(es) == 1 && i != 8 {
					return s.locked.Save(ctx, es[0])
				}
				return s.locked.SaveAll(ctx, es)
			})
		}
		wants := map[int]string{1: "duplicate", 2: "[1]", 5: "duplicate", 9: "one", 10: "duplicate [1]"}
		for i, err := range s.finish(ctx, t) {
			if got := verdictOn(err); got != wants[i] {
				t.Errorf("call %d: got %q from %v, want %q", i, got, err, wants[i])
			}
		}
		if *bad != (groupRow{ID: 30, Name: "bad", N: -1}) {
			t.Errorf("the refused entity is now %+v", bad)
		}
		groups := "[6 -6 4 -4]"
		if strings.HasSuffix(t.Name(), "/PostgreSQL") { // which tells what to leave out
			groups = "[6 5 2 2 4 3 2]"
		}
		s.want(ctx, t, groups, 7)
		for id, name := range map[int64]string{7: "left", 9: "wanted", 20: "name 20", 23: "name 23", 24: "name 24", 25: "name 25", 26: "name 26"} {
			if e, err := s.plain.FindByID(ctx, id); err != nil || e.Name != name {
				t.Errorf("%d: got %+v, %v; want %q", id, e, err, name)
			}
		}
	})
}

// verdictOn says what is wrong, and with which element of a list.
func verdictOn(err error) string {
	kind := "one"
	if errors.Is(err, repo.ErrDuplicateKey) {
		kind = "duplicate"
	}
	batch, ok := errors.AsType[*repo.BatchError](err)
	switch {
	case err == nil:
		return ""
	case !ok:
		return kind
	case kind == "one":
		kind = ""
	default:
		kind += " "
	}
	indexes := []int{}
	for _, it := range batch.Items {
		indexes = append(indexes, it.Index)
	}
	return kind + fmt.Sprint(indexes)
}
