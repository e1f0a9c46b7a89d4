package memrepo

import (
	"fmt"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/internal/actor"
)

// replace does what Save promises with e, an entity that a document gave. One whose
// document names no version overwrites what is stored in any version.
func (b *batch[T]) replace(e *T, given []literal) error {
	if r := b.r; r.ent.VersionOf(valueOf(e)) == 0 && r.ent.MayBeRead(e, r.unnumbered(e)) {
		if old, ok := r.live(b.t, r.keyOf(e)); ok {
			return b.overwrite(r.keyOf(e), old, e)
		}
	}
	return b.save(e, given)
}

// save does what Save promises with e, which the batch owns from now on, and
// sets its key, version and times.
func (b *batch[T]) save(e *T, given []literal) error {
	r, v := b.r, valueOf(e)
	isNew := r.ent.IsNew(v.Addr(), r.unnumbered(e))
	mayBeRead := r.ent.MayBeRead(e, r.unnumbered(e))
	if err := b.assignKey(e); err != nil {
		return err
	}
	key := r.keyOf(e)
	old := b.t.rows[key]
	if old == nil {
		if !isNew && r.ent.VersionOf(v) != 0 {
			return fmt.Errorf("%w: the entity is gone", repo.ErrStale)
		}
		return b.insert(key, e, given)
	}
	switch deleted := r.ent.IsDeleted(valueOf(old.val)); {
	case deleted && r.revive && isNew:
		return b.overwrite(key, old, e)
	case isNew && (deleted || !mayBeRead || r.ent.VersionOf(valueOf(old.val)) != 0):
		return fmt.Errorf("%w: the entity exists", repo.ErrDuplicateKey)
	case deleted && !r.revive:
		return fmt.Errorf("%w: the entity is marked as deleted", repo.ErrNotFound)
	}
	if have, want := r.ent.VersionOf(valueOf(old.val)), r.ent.VersionOf(v); have != want {
		return fmt.Errorf("%w: version %d is stored, not %d", repo.ErrStale, have, want)
	}
	return b.overwrite(key, old, e)
}

// insert stores an entity that is new, with defaults but for the fields that were
// given.
func (b *batch[T]) insert(key any, e *T, given []literal) error {
	ent, v := b.r.ent, valueOf(e)
	b.r.complete(e, given)
	ent.SetVersion(v, b.r.first)
	ent.SetDeleted(v, nil)
	if err := ent.Stamp(v, b.now, actor.From(b.ctx)); err != nil {
		return err
	}
	return b.put(key, e)
}

func (b *batch[T]) overwrite(key any, old *row[T], e *T) error {
	ent, v, was := b.r.ent, valueOf(e), valueOf(copyOf(old.val))
	ent.SetVersion(v, ent.VersionOf(was)+1)
	ent.SetDeleted(v, nil)
	for _, f := range ent.Created {
		set(f, v, was)
	}
	if err := ent.StampUpdated(v, b.now, actor.From(b.ctx)); err != nil {
		return err
	}
	return b.put(key, e)
}
