package mongorepo_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/samber/lo"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

type long struct {
	ID   string `bson:"_id"`
	Text string
}

func longs(t *testing.T, answer func(name string, cmd bson.Raw) bson.D) (*script, *mongorepo.Repository[long]) {
	t.Helper()
	s, coll := newScript(t, answer)
	r, err := mongorepo.New[long](coll, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

// ofMegabytes are n texts of a megabyte.
func ofMegabytes(n int) []string {
	return lo.Times(n, func(i int) string { return fmt.Sprintf("%02d", i) + strings.Repeat("x", 1<<20) })
}

// A server closes the connection where a condition is longer than a document may be.
func TestFind_MoreBytesThanADocumentMayHaveAreNotSent(t *testing.T) {
	t.Parallel()
	text := repo.F[long, string]("Text")
	list := ofMegabytes(17)
	for name, q := range map[string][]repo.Option{
		"In": {text.In(list...)}, "NotIn": {text.NotIn(list...)}, "Or": {repo.Or(text.Eq("a"), text.In(list...))},
		"Not": {repo.Not(text.In(list...))}, "Two": {text.In(list[:9]...), text.NotIn(list[9:]...)}, "AnyCase": {text.In(list...).IgnoreCase()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, r := longs(t, calm)
			for call, err := range map[string]error{"Find": second(r.Find(t.Context(), q...)), "Count": second(r.Count(t.Context(), q...))} {
				if !errors.Is(err, repo.ErrTooMany) || len(err.Error()) > 1000 {
					t.Errorf("%s: %.1000v, want ErrTooMany", call, err)
				}
			}
			wantCommands(t, s)
		})
	}
	s, r := longs(t, calm)
	if _, err := r.Find(t.Context(), text.In(list[:15]...)); err != nil {
		t.Error(err)
	}
	wantCommands(t, s, "find")
}

// Ids are asked for in queries that are never too long.
func TestFindAllByID_OfLongIDsIsSeveralQueries(t *testing.T) {
	t.Parallel()
	ids := lo.ToAnySlice(ofMegabytes(20))
	for call, c := range map[string]struct {
		do   func(r *mongorepo.Repository[long]) error
		want []string
	}{
		"FindAllByID":   {func(r *mongorepo.Repository[long]) error { return second(r.FindAllByID(t.Context(), ids)) }, []string{"find", "find", "find"}},
		"DeleteAllByID": {func(r *mongorepo.Repository[long]) error { return second(r.DeleteAllByID(t.Context(), ids)) }, []string{"delete", "delete", "delete"}},
	} {
		s, r := longs(t, calm)
		if err := c.do(r); err != nil {
			t.Errorf("%s: %v", call, err)
		}
		wantCommands(t, s, c.want...)
		n := 0
		for _, cmd := range sent(s) {
			if len(cmd) > 9<<20 {
				t.Errorf("%s: a command of %d bytes", call, len(cmd))
			}
			filter := cmd.Lookup("filter")
			if call == "DeleteAllByID" {
				filter = cmd.Lookup("deletes", "0", "q")
			}
			list, _ := filter.Document().Lookup("_id", "$in").Array().Values()
			n += len(list)
		}
		if n != len(ids) {
			t.Errorf("%s: asked for %d ids", call, n)
		}
	}
}

// A document that is too long is named, and nothing is sent.
func TestSaveAll_NamesADocumentThatIsTooLong(t *testing.T) {
	t.Parallel()
	s, r := longs(t, calm)
	err := r.SaveAll(t.Context(), []*long{{ID: "a"}, {ID: "b", Text: strings.Repeat("x", 17<<20)}})
	batch, ok := errors.AsType[*repo.BatchError](err)
	if !ok || len(batch.Items) != 1 || batch.Items[0].Index != 1 || !errors.Is(err, repo.ErrInvalid) {
		t.Errorf("got %.500v, want ErrInvalid for element 1", err)
	}
	wantCommands(t, s)
}

// What is asked for by ids comes with one answer: the server is not asked for more.
func TestFindAllByID_IsOneAnswer(t *testing.T) {
	t.Parallel()
	s, r := longs(t, calm)
	ids := lo.Times(5000, func(i int) any { return fmt.Sprint(i) })
	if _, err := r.FindAllByID(t.Context(), ids); err != nil {
		t.Fatal(err)
	}
	wantCommands(t, s, "find")
	if n := sent(s)[0].Lookup("batchSize").AsInt64(); n <= int64(len(ids)) {
		t.Errorf("batches of %d", n)
	}
}

// The creation time of a merged entity was read with it.
func TestMerge_OfStampedOnesReadsOnce(t *testing.T) {
	t.Parallel()
	type stamped struct {
		ID int64 `bson:"_id" gorm:"autoIncrement:false"`
		N  int64
		At int64 `holdfast:"created"`
	}
	s, coll := newScript(t, func(name string, cmd bson.Raw) bson.D {
		if name == "find" && collectionOf(cmd) == "c" {
			return found(bson.D{{Key: "_id", Value: int64(1)}, {Key: "at", Value: 5}})
		}
		return calm(name, cmd)
	})
	r, err := mongorepo.New[stamped](coll, nil)
	if err != nil {
		t.Fatal(err)
	}
	list, err := r.SmartSave(t.Context(), repo.SmartSaveDTO{EntityList: []string{`{"ID": 1, "N": 2}`, `{"ID": 2, "N": 2}`}}, repo.Merge())
	if err != nil || list[0].At != 5 {
		t.Errorf("got %v, %v", list, err)
	}
	if names := s.commands(); len(names) != 3 || names[0] != "find" {
		t.Errorf("sent were %v", names)
	}
}
