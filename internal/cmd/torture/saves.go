package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/samber/lo"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
)

// Entry is what is saved with a hook and with a key of the database: a save that is made
// twice leaves two.
type Entry struct {
	ID   int64
	Name string  `gorm:"size:64"`
	N    int64   `gorm:"check:torture_n_entry,n < 1000000000000000"`
	Only *string `gorm:"size:16;uniqueIndex:torture_only"`
	// Hooks counts how often the hook has changed what is stored.
	Hooks int64
}

// taken is the value of Only that an entry has from the beginning.
const taken = "taken"

// BeforeSave fails where its caller has asked for it.
func (e *Entry) BeforeSave(tx *gorm.DB) error {
	e.Hooks++
	if m, ok := tx.Statement.Context.Value(memberKey{}).(*member); ok {
		return m.hook(e.Name)
	}
	return nil
}

// What all records that are saved blindly begin with, and those that belong to one caller.
const (
	savedPrefix = "saved:"
	ownPrefix   = savedPrefix + "own:"
)

// member is a save among those that wait together. It is in its caller's context.
type member struct {
	rows  []string // the last is the one that fails
	spoil spoil
	leave context.CancelFunc
	batch int // the size of the largest batch that it was in
	// strange is a row of another save whose hook has run with this one's context.
	strange string
}

type memberKey struct{}

// hook is what the hook of a row does.
func (m *member) hook(row string) error {
	if !slices.Contains(m.rows, row) {
		m.strange = row // the error alone would have it saved by itself, as it should be
		return fmt.Errorf("%w: its hook has the context of %s", errLeaked, m.rows[0])
	}
	if row != m.rows[len(m.rows)-1] {
		return nil
	}
	switch m.spoil {
	case byError:
		return errSpoiled
	case byPanic:
		panic(errSpoiled)
	case byLeaving:
		m.leave() // when the save is on its way
	case byConstraint, byUnique:
	}
	return nil
}

// The part of the saves under every fault that fail, and of those whose callers leave.
const (
	usualSpoil = 0.05
	usualLeave = 0.05
)

// longestStay is how long a caller that leaves stays at most.
const longestStay = 30 * time.Millisecond

// drawSave picks a save of a caller, of one row or several. The first of several records is
// the one that belongs to the caller.
func (w *worker) drawSave(rng *rand.Rand, l load, name, own string) operation {
	o := operation{kind: saving, how: bySave, keys: numbered(savedPrefix+name+":", []int{1, 1, 2, 4}[rng.IntN(4)])}
	if len(o.keys) > 1 {
		o.how = bySaveAll
	}
	switch {
	case w.back.entries != nil && rng.IntN(3) == 0:
		o.kind = entering
	case len(o.keys) > 1 || rng.IntN(2) == 0:
		o.keys[0] = own
		if rng.IntN(2) == 0 {
			w.toOneStripe(o.keys)
		}
	}
	switch p := rng.Float64(); {
	case p < max(usualSpoil, l.Spoil):
		o.spoil = w.job.Place.spoilOfSave(rng, o.kind)
	case p < max(usualSpoil, l.Spoil)+max(usualLeave, l.Cancel):
		o.spoil, o.stay = byLeaving, time.Duration(rng.Int64N(int64(longestStay)))
	}
	return o
}

// toOneStripe changes all ids but the first to others of its stripe: lists of several
// stripes are not saved together with what waits.
func (w *worker) toOneStripe(ids []string) {
	f, ok := w.current().(*fortress)
	if !ok || len(f.repo.Keys()) == 1 {
		return
	}
	stripe := func(id string) string {
		keys, err := f.repo.KeysOf(id)
		return fmt.Sprint(keys, err)
	}
	for i, id := range ids {
		for n := 0; stripe(ids[i]) != stripe(ids[0]); n++ {
			ids[i] = fmt.Sprintf("%s:%d", id, n)
		}
	}
}

// spoilOfSave picks a failure that the store knows, or none.
func (p place) spoilOfSave(rng *rand.Rand, k kind) spoil {
	switch {
	case p.Store == onMongoDB:
		return ""
	case k == entering:
		return []spoil{byError, byPanic, byConstraint, byUnique}[rng.IntN(4)]
	default:
		return byConstraint
	}
}

// textOf is what a record has that an operation has saved.
func textOf(name string) string { return "by " + name }

// save saves the rows of an operation without having read them. The last is the bad one.
func (w *worker) save(ctx context.Context, name string, o operation, answer *report) (written bool, err error) {
	f, ok := w.current().(*fortress)
	if !ok {
		return false, errNoSaves
	}
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	m := &member{rows: o.keys, spoil: o.spoil, leave: leave}
	ctx = context.WithValue(ctx, memberKey{}, m)
	written, err = o.spoil.attempt(func() (bool, error) {
		if o.kind == entering {
			return f.enter(ctx, name, o, answer)
		}
		if o.stay > 0 {
			defer time.AfterFunc(o.stay, leave).Stop()
		}
		return saveRows(ctx, f.repo, recordsOf(name, o))
	})
	answer.Batch = m.batch
	if m.strange != "" {
		w.say(report{What: isLeak, Err: fmt.Sprintf("the hook of %s has run with the context of %s", m.strange, name)})
	}
	if o.spoil == byLeaving && errors.Is(err, context.Canceled) {
		err = fmt.Errorf("%w: %w", errLeft, err)
	}
	batch, ok := errors.AsType[*repo.BatchError](err)
	if !ok {
		return written, err
	}
	answer.Named = lo.Map(batch.Items, func(it *repo.ItemError, _ int) int { return it.Index })
	if last := len(o.keys) - 1; slices.Min(answer.Named) < 0 || slices.Max(answer.Named) > last || errors.Is(err, errSpoiled) && !slices.Equal(answer.Named, []int{last}) {
		err = fmt.Errorf("%w: it names %d of %d: %s", errLeaked, answer.Named, len(o.keys), err.Error())
	}
	return written, err
}

// errNoSaves is for designs that are not asked to save blindly.
var errNoSaves = errors.New("the design saves nothing blindly")

// errLeft is what a save fails with whose caller has left.
var errLeft = errors.New("torture: left")

func recordsOf(name string, o operation) []*Record {
	rs := lo.Map(o.keys, func(id string, _ int) *Record { return &Record{ID: id, N: valueOf(name), Text: textOf(name)} })
	if o.spoil == byConstraint {
		rs[len(rs)-1].N = tooMuch
	}
	return rs
}

// enter saves entries, and notes the keys that they were given.
func (f *fortress) enter(ctx context.Context, name string, o operation, answer *report) (written bool, err error) {
	es := lo.Map(o.keys, func(id string, _ int) *Entry { return &Entry{Name: id, N: valueOf(name)} })
	switch bad := es[len(es)-1]; o.spoil {
	case byConstraint:
		bad.N = tooMuch
	case byUnique:
		bad.Only = new(taken)
	case byError, byPanic, byLeaving: // is what the hook does
	}
	written, err = saveRows(ctx, f.entries, es)
	answer.IDs = lo.Map(es, func(e *Entry, _ int) int64 { return e.ID })
	return written, err
}

func saveRows[T any](ctx context.Context, r *lockedrepo.Repository[T], rows []*T) (written bool, err error) {
	if len(rows) == 1 {
		err = r.Save(ctx, rows[0])
	} else {
		err = r.SaveAll(ctx, rows)
	}
	return isWritten(err), err
}

// isOwn tells whether a record belongs to one caller.
func isOwn(id string) bool { return strings.HasPrefix(id, ownPrefix) }

// keepSaving saves one thing after the other.
func (w *worker) keepSaving(ctx context.Context, l load, caller int) {
	rng := rand.New(rand.NewPCG(w.job.Seed, 1<<63|uint64(w.job.Index)<<32|uint64(w.job.Life)<<16|uint64(caller))) //nolint:gosec // to be repeated
	own := fmt.Sprintf("%sw%d.%d.%d", ownPrefix, w.job.Index, w.job.Life, caller)
	for ctx.Err() == nil {
		name := w.name()
		opCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.Limit)
		w.perform(opCtx, name, w.drawSave(rng, l, name, own))
		cancel()
	}
}
