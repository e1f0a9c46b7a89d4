package gormrepo

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/samber/lo"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo"
)

// part is an element of an association, of the item that carries it.
type part struct {
	*item
	of *item
}

// savedEntity names an entity among those that a call saves.
type savedEntity struct {
	of  reflect.Type
	key any
}

// progress of an entity in a call that saves associations.
type progress int

const (
	pending progress = iota + 1
	written
)

// withAssociations saves around the rows what belongs before and after them. An entity
// that comes again in what it is associated with is saved once.
func (r *store) withAssociations(c *call, items []*item, write func() error) error {
	if !r.opts.Associations || len(items) == 0 {
		return write()
	}
	if c.saving == nil {
		c.saving = map[any]progress{}
		defer func() { c.saving = nil }()
	}
	r.note(c, items, pending)
	for _, l := range r.links {
		if l.Type == schema.BelongsTo {
			if err := l.save(c, r, items); err != nil {
				return err
			}
		}
	}
	if err := write(); err != nil {
		return err
	}
	r.note(c, items, written)
	for _, l := range r.links {
		if l.Type != schema.BelongsTo {
			if err := l.save(c, r, items); err != nil {
				return err
			}
		}
	}
	return nil
}

// note remembers how far the entities are.
func (r *store) note(c *call, items []*item, p progress) {
	for _, it := range items {
		c.saving[it.pointer()] = p
		if !r.wantsKey(it.val) {
			c.saving[r.savedEntity(it)] = p
		}
	}
}

func (r *store) savedEntity(it *item) savedEntity {
	return savedEntity{r.entity.Type, r.keptIdentity(it)}
}

// carries tells whether an entity says which elements it owns: saving it is a change of
// it, for its version.
func (r *store) carries(ctx context.Context, e reflect.Value) bool {
	return lo.SomeBy(r.links, func(l *link) bool { return l.owned() && l.loaded(ctx, e) })
}

// save saves the elements of items of r.
func (l *link) save(c *call, r *store, items []*item) error {
	ctx := c.tx.Statement.Context
	all, err := l.parts(ctx, r, items)
	if err != nil {
		return err
	}
	if l.owned() {
		return l.saveOwned(c, r, items, all)
	}
	parts, copies, err := l.unsaved(c, r, all)
	if err != nil {
		return err
	}
	if err := l.to.saveElements(c, l, parts, nil); err != nil {
		return l.blame(r, all, err)
	}
	for of, first := range copies {
		of.Set(first.val)
	}
	if l.Type == schema.Many2Many {
		return l.join(c, items, all)
	}
	for _, p := range all {
		if err := refer(ctx, l.References, p.of.val, p.val); err != nil {
			return r.itemError(p.of, err)
		}
	}
	return nil
}

// saveOwned saves elements that belong to items.
func (l *link) saveOwned(c *call, r *store, items []*item, all []part) error {
	ctx := c.tx.Statement.Context
	owners := make([]any, len(all))
	for i, p := range all {
		if err := refer(ctx, l.References, p.val, p.of.val); err != nil {
			return r.itemError(p.of, err)
		}
		owners[i], _ = l.owner(ctx, p.val)
	}
	parts, _, err := l.unsaved(c, r, all)
	if err != nil {
		return err
	}
	err = l.to.saveElements(c, l, parts, func() error { return l.removeOrphans(c, items, all) })
	if err != nil {
		return l.blame(r, all, err)
	}
	return l.sameOwners(c, r, all, owners)
}

// parts are the elements of items.
func (l *link) parts(ctx context.Context, r *store, items []*item) ([]part, error) {
	var of []*item
	var values []reflect.Value
	for _, it := range items {
		for _, e := range l.elements(ctx, it.val) {
			if !e.IsValid() {
				return nil, r.itemError(it, fmt.Errorf("%w: %s has a nil element", repo.ErrInvalid, l.Name))
			}
			of, values = append(of, it), append(values, e)
		}
	}
	return lo.Map(l.to.strictItems(values), func(it *item, i int) part {
		it.values = of[i].values
		more := of[i].more()
		more.parts = append(more.parts, it)
		return part{it, of[i]}
	}), nil
}

// unsaved are the elements that are still to be saved, each once, and what else is a copy
// of which of them.
func (l *link) unsaved(c *call, r *store, all []part) (list []*item, copies map[reflect.Value]*item, err error) {
	first := map[any]*item{}
	copies = map[reflect.Value]*item{}
	for _, p := range all {
		known, err := l.progress(c, p)
		key := l.to.foldKey(p.item)
		before := first[key]
		switch {
		case err != nil || known != 0:
		case before == nil:
			first[key] = p.item
			list = append(list, p.item)
		case l.owned() || !reflect.DeepEqual(before.pointer(), p.pointer()):
			err = fmt.Errorf("%w: %s has an entity twice", repo.ErrInvalid, l.Name)
		default:
			copies[p.val] = before
		}
		if err != nil {
			return nil, nil, r.itemError(p.of, err)
		}
	}
	return list, copies, nil
}

// progress is how far an element is that the call saves by itself.
func (l *link) progress(c *call, p part) (progress, error) {
	mine, keyed := c.saving[p.pointer()], !l.to.wantsKey(p.val)
	known := mine
	if known == 0 && keyed {
		known = c.saving[l.to.savedEntity(p.item)]
	}
	switch {
	case known == pending && !l.owned() && !keyed:
		return 0, fmt.Errorf("%w: %s has an entity that the same call saves, and that has no key yet", repo.ErrInvalid, l.Name)
	case known != 0 && l.owned() && mine != pending && !l.sameOwner(c, p):
		return 0, fmt.Errorf("%w: %s has an entity that the same call saves by itself", repo.ErrInvalid, l.Name)
	}
	return known, nil
}

// sameOwner tells whether an element had the foreign key before that it has now.
func (l *link) sameOwner(c *call, p part) bool {
	before, _ := p.before.of(p.item) // a copy
	was, _ := l.owner(c.tx.Statement.Context, before)
	is, _ := l.owner(c.tx.Statement.Context, p.val)
	return was == is
}

// sameOwners refuses elements that have got another owner than the one that lists them,
// by an association of their own.
func (l *link) sameOwners(c *call, r *store, all []part, owners []any) error {
	for i, p := range all {
		if is, _ := l.owner(c.tx.Statement.Context, p.val); is != owners[i] {
			return r.itemError(p.of, fmt.Errorf("%w: %s has an entity that refers to another one", repo.ErrInvalid, l.Name))
		}
	}
	return nil
}

// blame names the items whose elements have failed.
func (l *link) blame(r *store, all []part, err error) error {
	batch, ok := errors.AsType[*repo.BatchError](err)
	if !ok {
		return fmt.Errorf("association %s: %w", l.Name, err)
	}
	var bad failures
	for _, one := range lo.UniqBy(batch.Items, func(one *repo.ItemError) *item { return all[one.Index].of }) {
		of := all[one.Index].of
		bad.add(of.index, r.shownID(of.val), fmt.Errorf("association %s: %w", l.Name, one.Err))
	}
	return bad.err()
}
