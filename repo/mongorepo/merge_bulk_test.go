package mongorepo_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// shelf is a script's collection of accounts in version 3, whose fences are what
// updates have set.
type shelf struct {
	fences map[int64]bson.Raw
	// refuse are the accounts that the second update, the write, does not match,
	// and foreign those whose fence shows a newer holder afterwards.
	refuse, foreign map[int64]bool
	raised          bool
}

func newShelf(ids ...int64) *shelf {
	s := &shelf{fences: map[int64]bson.Raw{}, refuse: map[int64]bool{}, foreign: map[int64]bool{}}
	for _, id := range ids {
		s.fences[id] = nil
	}
	return s
}

func (s *shelf) answer(name string, cmd bson.Raw) bson.D {
	if collectionOf(cmd) != "c" {
		return calm(name, cmd)
	}
	switch name {
	case "find":
		return s.find(cmd)
	case "update":
		return s.update(cmd)
	case "insert":
		docs, _ := cmd.Lookup("documents").Array().Values()
		return matched(len(docs))
	case "aggregate":
		return found()
	}
	return matched(1)
}

func (s *shelf) find(cmd bson.Raw) bson.D {
	var docs []any
	ids, _ := cmd.Lookup("filter", "_id", "$in").Array().Values()
	for _, v := range ids {
		id := v.AsInt64()
		fence, ok := s.fences[id]
		if !ok {
			continue
		}
		doc := bson.D{{Key: "_id", Value: id}, {Key: "rev", Value: 3}, {Key: "balance", Value: id}}
		if fence != nil {
			doc = append(doc, bson.E{Key: "_f", Value: fence})
		}
		docs = append(docs, doc)
	}
	return found(docs...)
}

// update stores the claims of the raise in all, and those of the writes.
func (s *shelf) update(cmd bson.Raw) bson.D {
	updates, _ := cmd.Lookup("updates").Array().Values()
	n := 0
	for _, u := range updates {
		set, _ := u.Document().Lookup("u", "$set").Document().Elements()
		var fence bson.D
		for _, el := range set {
			if name, ok := strings.CutPrefix(el.Key(), "_f."); ok {
				fence = append(fence, bson.E{Key: name, Value: el.Value()})
			}
		}
		raw, _ := bson.Marshal(fence)
		if !s.raised {
			for id := range s.fences {
				s.fences[id] = raw
				n++
			}
			continue
		}
		id := u.Document().Lookup("q", "_id").AsInt64()
		if s.refuse[id] {
			continue
		}
		n++
		s.fences[id] = raw
	}
	if s.raised {
		for id := range s.foreign {
			s.fences[id], _ = bson.Marshal(bson.D{{Key: fieldOf(s.fences[id]), Value: bson.D{
				{Key: "t", Value: int64(99)}, {Key: "o", Value: "her"}, {Key: "s", Value: int64(1)},
			}}})
		}
	}
	s.raised = true
	return matched(n)
}

func fieldOf(fence bson.Raw) string {
	elems, _ := fence.Elements()
	return elems[0].Key()
}

// A merge of many documents under a fence is four commands, however many are
// changed, unchanged and absent.
func TestMerge_OfManyIsFewCommands(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{249, 1000, 3249, 10_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			var ids []int64
			var docs []string
			for id := range n {
				if id%3 != 0 { // a third is absent
					ids = append(ids, id)
				}
				balance := id // a third is as it was
				if id%3 == 1 {
					balance = -1
				}
				docs = append(docs, fmt.Sprintf(`{"ID": %d, "Balance": %d}`, id, balance))
			}
			s, r := accounts(t, newShelf(ids...).answer)
			ctx := driver.WithFence(t.Context(), turnOf("orders"))
			if _, err := r.Count(ctx); err != nil { // the epoch and the guard are known
				t.Fatal(err)
			}
			before := len(s.commands())
			if _, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: docs}, repo.Merge()); err != nil {
				t.Fatal(err)
			}
			if got := s.commands()[before:]; len(got) > 4 {
				t.Errorf("%d commands: %v", len(got), got)
			}
		})
	}
}

// Which of many writes found nothing to change is told by what the documents
// show, and by how many are missing.
func TestMerge_OfManyNamesWhatWasNotWritten(t *testing.T) {
	t.Parallel()
	type ids = map[int64]bool
	for name, c := range map[string]struct {
		refuse, foreign ids
		want            map[int]error
	}{
		"None":                  {nil, nil, nil},
		"ByANewerHolder":        {ids{2: true}, ids{2: true}, map[int]error{2: repo.ErrFenced}},
		"AllByANewerHolder":     {ids{0: true, 1: true, 2: true, 3: true}, ids{0: true, 1: true, 2: true, 3: true}, map[int]error{0: repo.ErrFenced, 1: repo.ErrFenced, 2: repo.ErrFenced, 3: repo.ErrFenced}},
		"ByALaterCall":          {ids{1: true}, nil, map[int]error{1: repo.ErrStale}},
		"OverwrittenAfterwards": {nil, ids{2: true}, nil},
		"OneOfTwoIsOverwritten": {ids{1: true}, ids{1: true, 2: true}, map[int]error{1: repo.ErrUnknown, 2: repo.ErrUnknown}},
		"RefusedAndOverwritten": {ids{1: true, 3: true}, ids{3: true}, map[int]error{1: repo.ErrStale, 3: repo.ErrFenced}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shelf := newShelf(0, 1, 2, 3)
			shelf.refuse, shelf.foreign = c.refuse, c.foreign
			_, r := accounts(t, shelf.answer)
			var docs []string
			for id := range 4 {
				docs = append(docs, fmt.Sprintf(`{"ID": %d, "Balance": -1}`, id))
			}
			_, err := r.SmartSave(driver.WithFence(t.Context(), turnOf("orders")), repo.SmartSaveDTO{EntityList: docs}, repo.Merge())
			batch, ok := errors.AsType[*repo.BatchError](err)
			if len(c.want) == 0 && err != nil || len(c.want) > 0 && (!ok || len(batch.Items) != len(c.want)) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if !ok {
				return
			}
			for _, it := range batch.Items {
				if !errors.Is(it, c.want[it.Index]) {
					t.Errorf("element %d: %v, want %v", it.Index, it.Err, c.want[it.Index])
				}
			}
		})
	}
}
