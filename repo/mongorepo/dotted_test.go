package mongorepo_test

import (
	"context"
	"errors"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

// MongoDB stores names with dots and dollars, which the stand-in does not. A
// condition cannot say them, so the document would always differ from itself.
func TestUpdate_NameThatNoConditionCanSayFailsAtOnce(t *testing.T) {
	t.Parallel()
	type loose struct {
		ID   string         `bson:"_id"`
		Rest map[string]any `bson:",inline"`
	}
	for _, name := range []string{"x.y", "$x", ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, coll := newScript(t, func(command string, _ bson.Raw) bson.D {
				if command == "find" {
					return found(bson.D{{Key: "_id", Value: "a"}, {Key: name, Value: 1}})
				}
				return matched(0)
			})
			r, err := mongorepo.New[loose](coll, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = r.Update(t.Context(), "a", func(e *loose) error { e.Rest["z"] = 2; return nil })
			if !errors.Is(err, repo.ErrUnsupported) {
				t.Errorf("got %v, want ErrUnsupported", err)
			}
			wantCommands(t, s, "find")
		})
	}
}

// A map with such a name is written whole, because a path cannot say it either.
func TestUpdate_MapWithADottedNameIsWrittenWhole(t *testing.T) {
	t.Parallel()
	type holder struct {
		ID  string         `bson:"_id"`
		Map map[string]int `bson:"map"`
		Rev int            `bson:"rev" holdfast:"version"`
	}
	for name, c := range map[string]struct {
		stored bson.D
		change string
		path   string
	}{
		"Stored": {bson.D{{Key: "x.y", Value: 1}, {Key: "z", Value: 1}}, "z", "map"},
		"New":    {bson.D{{Key: "z", Value: 1}}, "x.y", "map"},
		"Plain":  {bson.D{{Key: "z", Value: 1}}, "z", "map.z"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, coll := newScript(t, func(command string, _ bson.Raw) bson.D {
				if command == "find" {
					return found(bson.D{{Key: "_id", Value: "a"}, {Key: "map", Value: c.stored}, {Key: "rev", Value: 3}})
				}
				return matched(1)
			})
			r, err := mongorepo.New[holder](coll, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = r.Update(context.Background(), "a", func(e *holder) error { e.Map[c.change] = 7; return nil })
			if err != nil {
				t.Fatal(err)
			}
			set := sent(s)[1].Lookup("updates", "0", "u", "$set").Document()
			if _, err := set.LookupErr(c.path); err != nil {
				t.Errorf("set is %s, want %s in it", set, c.path)
			}
		})
	}
}
