package shapes_test

import (
	"context"
	"errors"
	"slices"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// hookless is a store that calls no hooks, and hookedModel calls those of hooked
// around it: BeforeSave and AfterSave for each entity, those of creation for new ones,
// those of updates for stored ones.
type hookless interface {
	repo.Repository[hooked]
	repo.Updater[hooked]
	repo.Transactor
}

type hookedModel struct{ hookless }

// stored is what a database would have: memory keeps fields that are no columns.
func (m *hookedModel) stored(ctx context.Context, id any) (*hooked, error) {
	e, err := m.FindByID(ctx, id)
	if err == nil {
		e.Ran, e.Read = nil, ""
	}
	return e, err
}

func (m *hookedModel) isStored(ctx context.Context, e *hooked) (bool, error) {
	return m.ExistsByID(ctx, e.ID)
}

func before(e *hooked, isNew, isStored bool) error {
	err := e.BeforeSave(nil)
	if err == nil && isNew {
		return e.BeforeCreate(nil)
	}
	if err == nil && isStored {
		return e.BeforeUpdate(nil)
	}
	return err
}

func after(e *hooked, isNew, isStored bool) error {
	if isNew {
		if err := e.AfterCreate(nil); err != nil {
			return err
		}
	}
	if isStored {
		if err := e.AfterUpdate(nil); err != nil {
			return err
		}
	}
	return e.AfterSave(nil)
}

func (m *hookedModel) Save(ctx context.Context, e *hooked) error {
	err := m.SaveAll(ctx, []*hooked{e})
	if batch, ok := errors.AsType[*repo.BatchError](err); ok {
		return batch.Items[0].Err
	}
	return err
}

// SaveAll saves the last of each key.
func (m *hookedModel) SaveAll(ctx context.Context, es []*hooked) error {
	last := slices.Clone(es)
	slices.Reverse(last)
	last = lo.UniqBy(last, func(e *hooked) string { return e.ID })
	slices.Reverse(last)
	saved, err := m.save(ctx, lo.Map(last, func(e *hooked, _ int) hooked { return *e }), false)
	for i, e := range saved {
		*last[i] = *e
	}
	return err
}

// save runs the hooks on copies. A document that names no version replaces what is
// stored.
func (m *hookedModel) save(ctx context.Context, list []hooked, documents bool) (saved []*hooked, err error) {
	err = m.InTx(ctx, func(ctx context.Context) error {
		var fresh []bool
		for _, e := range list {
			stored, err := m.isStored(ctx, &e)
			if err != nil {
				return err
			}
			isNew := e.Rev == 0 && (!documents || !stored)
			if documents && e.Rev == 0 && stored {
				was, err := m.stored(ctx, e.ID)
				if err != nil {
					return err
				}
				e.Rev = was.Rev
			}
			fresh = append(fresh, isNew)
			if err := before(&e, isNew, stored && !isNew); err != nil {
				return err
			}
			saved = append(saved, &e)
		}
		if err := m.hookless.SaveAll(ctx, saved); err != nil {
			return err
		}
		for i, e := range saved {
			if err := after(e, fresh[i], !fresh[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return saved, nil
}

func (m *hookedModel) SmartSave(ctx context.Context, dto repo.SmartSaveDTO, opts ...repo.SmartSaveOption) (list []*hooked, err error) {
	docs, err := driver.Decode[hooked](dto, opts...)
	if err != nil {
		return nil, err
	}
	if docs.Mode == driver.ModeReplace {
		return m.save(ctx, lo.Map(docs.Entities, func(e *hooked, _ int) hooked { return *e }), true)
	}
	err = m.InTx(ctx, func(ctx context.Context) error {
		for i, given := range docs.Entities {
			e, err := m.merge(ctx, docs, i, given)
			if err != nil {
				return err
			}
			list = append(list, e)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// merge runs no hook after an equal document, which writes nothing.
func (m *hookedModel) merge(ctx context.Context, docs *driver.Documents[hooked], i int, given *hooked) (*hooked, error) {
	stored, err := m.stored(ctx, given.ID)
	if errors.Is(err, repo.ErrNotFound) {
		e := *given
		e.Rev = 0
		saved, err := m.save(ctx, []hooked{e}, true)
		if err != nil {
			return nil, err
		}
		return saved[0], nil
	}
	if err != nil {
		return nil, err
	}
	if given.Rev != 0 && given.Rev != stored.Rev {
		return nil, repo.ErrStale
	}
	e := *copied(stored)
	if err := docs.MergeInto(i, &e); err != nil {
		return nil, err
	}
	e.Rev = stored.Rev
	return m.change(ctx, stored, e, false)
}

func (m *hookedModel) change(ctx context.Context, stored *hooked, e hooked, touch bool) (*hooked, error) {
	if err := before(&e, false, true); err != nil {
		return nil, err
	}
	plain := e
	plain.Ran = nil
	if !touch && shownJSON(plain) == shownJSON(stored) {
		return &e, nil
	}
	saved, err := m.hookless.Update(ctx, e.ID, func(stored *hooked) error { *stored = e; return nil })
	if err != nil {
		return nil, err
	}
	saved.Ran = e.Ran
	return saved, after(saved, false, true)
}

func (m *hookedModel) Update(ctx context.Context, id any, fn func(*hooked) error) (saved *hooked, err error) {
	err = m.InTx(ctx, func(ctx context.Context) error {
		stored, err := m.stored(ctx, id)
		if err != nil {
			return err
		}
		e := *stored
		if err := fn(&e); err != nil {
			return err
		}
		saved, err = m.change(ctx, stored, e, true)
		return err
	})
	if err != nil {
		return nil, err
	}
	return saved, nil
}

func (m *hookedModel) Delete(ctx context.Context, es ...*hooked) error {
	return m.InTx(ctx, func(ctx context.Context) error {
		for _, e := range es {
			if err := e.BeforeDelete(nil); err != nil {
				return err
			}
		}
		if err := m.hookless.Delete(ctx, es...); err != nil {
			return err
		}
		for _, e := range es {
			if err := e.AfterDelete(nil); err != nil {
				return err
			}
		}
		return nil
	})
}

func found(list []*hooked, err error) ([]*hooked, error) {
	for _, e := range list {
		e.Ran = nil
		_ = e.AfterFind(nil)
	}
	return list, err
}

func (m *hookedModel) Find(ctx context.Context, opts ...repo.Option) ([]*hooked, error) {
	return found(m.hookless.Find(ctx, opts...))
}

func (m *hookedModel) FindAllByID(ctx context.Context, ids []any) ([]*hooked, error) {
	return found(m.hookless.FindAllByID(ctx, ids))
}
