package mongorepo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/samber/lo"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/fence"
)

// naturalsPerQuery is how many natural keys one query looks for.
const naturalsPerQuery = 1000

// UpsertBy looks which documents have the natural keys, overwrites them and inserts the
// other entities; see repo.Writer. Fields that T does not have stay as they are. Those that
// are not named in a *repo.BatchError are written, and counted. A document that another
// writer changes in between is repo.ErrStale where T has a version.
func (r *Repository[T]) UpsertBy(ctx context.Context, es []*T, by ...repo.Handle) (repo.Upserted, error) {
	done, err := r.upsertBy(ctx, es, by)
	return done, wrap(ctx, "upsert by", err)
}

func (r *Repository[T]) upsertBy(ctx context.Context, es []*T, by []repo.Handle) (done repo.Upserted, err error) {
	if err := driver.Ended(ctx); err != nil {
		return done, err
	}
	natural, err := driver.CheckNatural(es, by)
	if err != nil {
		return done, err
	}
	keys, err := r.naturalKeys(es, natural)
	if err != nil {
		return done, err
	}
	cs, err := r.fence.Claims(ctx)
	if err != nil {
		return done, err
	}
	found, err := r.findNatural(ctx, cs, keys, natural)
	if err != nil {
		return done, err
	}
	now := r.now()
	p := prepared[T]{}
	for i, e := range es {
		rows := found[keys[i].text]
		if len(rows) > 1 {
			p.refuse(i, r.shownID(e), fmt.Errorf("%w: %d documents have its values of %q", repo.ErrDuplicateKey, len(rows), natural.Names))
			continue
		}
		w, err := r.prepareUpsert(ctx, i, e, rows, now)
		p.add(w, &repo.ItemError{Index: i, ID: r.shownID(e), Err: err})
	}
	err = r.performPrepared(ctx, &p)
	for _, w := range p.writes {
		switch {
		case !w.done:
		case len(found[keys[w.index].text]) > 0:
			done.Updated++
		default:
			done.Inserted++
		}
	}
	return done, err
}

// naturalKey is the natural key of an entity: the values as they are stored, and a text
// that is equal for equal ones.
type naturalKey struct {
	values []bson.RawValue
	text   string
}

func (r *Repository[T]) naturalKeyOf(e *T, natural *driver.NaturalKey) (k naturalKey, err error) {
	var text strings.Builder
	for i, v := range natural.ValuesOf(valueOf(e)) {
		path, isKey, err := r.layout.field(natural.Names[i])
		if err != nil {
			return k, err
		}
		enc, _, err := r.comparand(v, isKey || r.isReference(path))
		if err != nil {
			return k, err
		}
		k.values = append(k.values, enc)
		fmt.Fprintf(&text, "%d:%s", len(enc.Value), keyText(enc))
	}
	k.text = text.String()
	return k, nil
}

// naturalKeys are those of all entities, which must differ as they are stored, too.
func (r *Repository[T]) naturalKeys(es []*T, natural *driver.NaturalKey) ([]naturalKey, error) {
	keys := make([]naturalKey, len(es))
	first := map[string]int{}
	var bad []*repo.ItemError
	for i, e := range es {
		var err error
		if keys[i], err = r.naturalKeyOf(e, natural); err != nil {
			return nil, err
		}
		if earlier, again := first[keys[i].text]; again {
			bad = append(bad, &repo.ItemError{Index: i, ID: r.shownID(e), Err: fmt.Errorf("%w: element %d has the same values of %q", repo.ErrInvalid, earlier, natural.Names)})
			continue
		}
		first[keys[i].text] = i
	}
	if len(bad) > 0 {
		return nil, &repo.BatchError{Items: bad}
	}
	return keys, nil
}

// findNatural reads the documents that have the natural keys, and raises them under a
// fence. It looks again at what it has raised.
func (r *Repository[T]) findNatural(ctx context.Context, cs fence.Claims, keys []naturalKey, natural *driver.NaturalKey) (map[string][]*loaded[T], error) {
	list, err := r.naturalDocuments(ctx, keys, natural)
	if err != nil {
		return nil, err
	}
	if len(cs) > 0 {
		ids := make([]keyed, len(list))
		for i, s := range list {
			id, err := r.idOf(r.ent.KeyOf(valueOf(s.e)))
			if err != nil {
				return nil, err
			}
			ids[i] = keyedBy(id)
		}
		raised, err := r.raiseAll(ctx, cs, ids)
		if err != nil {
			return nil, err
		}
		list = lo.Values(raised)
	}
	found := map[string][]*loaded[T]{}
	for _, s := range list {
		if !r.alive(s) {
			continue
		}
		k, err := r.naturalKeyOf(s.e, natural)
		if err != nil {
			return nil, err
		}
		found[k.text] = append(found[k.text], s)
	}
	return found, nil
}

func (r *Repository[T]) naturalDocuments(ctx context.Context, keys []naturalKey, natural *driver.NaturalKey) ([]*loaded[T], error) {
	var list []*loaded[T]
	for part := range slices.Chunk(keys, naturalsPerQuery) {
		filter, err := r.naturalFilter(part, natural)
		if err != nil {
			return nil, err
		}
		err = r.fresh.Find(ctx, filter, options.Find(), func(raw bson.Raw) error {
			s, err := r.seen(slices.Clone(raw), nil)
			list = append(list, s)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (r *Repository[T]) naturalFilter(keys []naturalKey, natural *driver.NaturalKey) (bson.D, error) {
	paths := make([]string, len(natural.Names))
	for i, name := range natural.Names {
		var err error
		if paths[i], _, err = r.layout.field(name); err != nil {
			return nil, err
		}
	}
	var alternatives bson.D
	if len(paths) == 1 {
		alternatives = in(paths[0], lo.Map(keys, func(k naturalKey, _ int) any { return k.values[0] }))
	} else {
		alternatives = bson.D{{Key: "$or", Value: lo.Map(keys, func(k naturalKey, _ int) bson.D {
			return lo.Map(paths, func(path string, i int) bson.E {
				return bson.E{Key: path, Value: bson.D{{Key: "$eq", Value: k.values[i]}}}
			})
		})}}
	}
	return both(r.live(), alternatives), nil
}

// both joins filters that may be about the same fields.
func both(filters ...bson.D) bson.D {
	return bson.D{{Key: "$and", Value: lo.Filter(filters, func(f bson.D, _ int) bool { return len(f) > 0 })}}
}

// prepareUpsert prepares e to overwrite the document that was found, or to be inserted.
func (r *Repository[T]) prepareUpsert(ctx context.Context, index int, e *T, found []*loaded[T], now time.Time) (*write[T], error) {
	if len(found) == 0 {
		return r.prepareInsert(ctx, index, e, now)
	}
	undo := r.remember(e)
	w, err := r.prepareOver(ctx, index, e, found[0], now)
	if err != nil {
		undo()
		return nil, err
	}
	w.undo = undo
	return w, nil
}

// prepareOver makes e the entity of a stored document, in the next version.
func (r *Repository[T]) prepareOver(ctx context.Context, index int, e *T, s *loaded[T], now time.Time) (*write[T], error) {
	v, stored := valueOf(e), valueOf(s.e)
	for _, f := range r.ent.Key {
		copyField(f, stored, v)
	}
	w, err := r.prepare(ctx, index, e, now)
	if err != nil {
		return nil, err
	}
	r.copyCreated(stored, v) // after prepare, which gives new entities theirs
	w.insert, w.unsure, w.keepGone, w.read = false, false, true, true
	w.version, w.old, w.raised = r.ent.VersionOf(stored), s.fence, s.raised
	r.ent.SetVersion(v, w.version+1)
	return w, r.compose(w)
}
