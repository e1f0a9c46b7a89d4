package gormrepo

import (
	"context"
	"fmt"
	"reflect"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

type checked struct{ ID int }

var (
	_ repo.Store[checked]           = (*Repository[checked])(nil)
	_ driver.DocumentSaver[checked] = (*Repository[checked])(nil)
	_ driver.GroupUpdater[checked]  = (*Repository[checked])(nil)
	_ driver.Reader[checked]        = (*Repository[checked])(nil)
	_ driver.TxReporter             = (*Repository[checked])(nil)
	_ driver.Fencer                 = (*Repository[checked])(nil)
	_ driver.Keyer[checked]         = (*Repository[checked])(nil)
)

// Repository keeps entities of type T in one table. All methods may be called
// concurrently.
//
// It has the methods whose signature names T and no code of its own: what is generic
// is compiled again for each type of entity.
type Repository[T any] struct{ *store }

// Save inserts or overwrites e; see repo.Repository.
func (r *Repository[T]) Save(ctx context.Context, e *T) error {
	return r.failed(ctx, "save", single(r.saved(ctx, []*T{e})))
}

// SaveAll inserts or overwrites every element, all or none; see
// repo.Repository. The error is a *repo.BatchError but where the database
// refused a statement with many rows and does not say for which.
func (r *Repository[T]) SaveAll(ctx context.Context, es []*T) error {
	return r.failed(ctx, "save all", r.saved(ctx, es))
}

func (r *Repository[T]) saved(ctx context.Context, es []*T) error {
	if err := driver.CheckEntities(es); err != nil {
		return err
	}
	return r.saveAll(ctx, valuesOf(es))
}

// SmartSave decodes the documents and saves or merges them, all or none; see
// repo.Repository.
func (r *Repository[T]) SmartSave(ctx context.Context, dto repo.SmartSaveDTO, opts ...repo.SmartSaveOption) ([]*T, error) {
	docs, err := driver.Decode[T](dto, opts...)
	if err != nil {
		return nil, r.failed(ctx, "smart save", err)
	}
	return r.SaveDocuments(ctx, docs)
}

// SaveChunks saves n elements at a time; see repo.ChunkSaver.
func (r *Repository[T]) SaveChunks(ctx context.Context, es []*T, n int) error {
	return r.failed(ctx, "save chunks", driver.SaveChunks(ctx, r.TxState(ctx), es, n, r.SaveAll))
}

// SaveDocuments saves or merges decoded documents, all or none of a chunk; see
// driver.DocumentSaver. After an error docs is as it was, so that it can be called again;
// else the entities of docs are those that are returned.
func (r *Repository[T]) SaveDocuments(ctx context.Context, docs *driver.Documents[T]) ([]*T, error) {
	if docs == nil || len(docs.Entities) == 0 {
		return nil, r.failed(ctx, "smart save", repo.ErrEmptySave)
	}
	if docs.Chunk > 0 {
		saved, err := driver.SaveDocumentChunks(ctx, r.TxState(ctx), docs, r.SaveDocuments)
		return saved, r.failed(ctx, "smart save", err)
	}
	saved, err := r.saveDocuments(ctx, &documents{
		docs.Mode == driver.ModeReplace, len(docs.Entities),
		func(i int) reflect.Value { return valueOf(docs.Entities[i]) },
		func(i int, e reflect.Value) error { return docs.MergeInto(i, pointerTo[T](e)) },
	})
	if err != nil {
		return nil, r.failed(ctx, "smart save", err)
	}
	return pointersTo[T](saved), nil
}

// Update reads the entity with the id, calls fn with it and saves it, in one
// transaction; see repo.Updater. Only the columns that changed are written, by an
// UPDATE. The row is locked from the read on, so that no
// other writer of the database comes in between: by SELECT ... FOR UPDATE on
// PostgreSQL and MySQL, by the write lock on SQLite. fn runs inside the
// transaction and must not use the repository with another context; it runs
// again when the database gave the transaction up for another one. What fn does
// to the version and the times is ignored; a changed key is repo.ErrInvalid.
func (r *Repository[T]) Update(ctx context.Context, id any, fn func(*T) error) (*T, error) {
	if fn == nil {
		return nil, r.failed(ctx, "update", fmt.Errorf("%w: nil function", repo.ErrInvalid))
	}
	one := driver.UpdateCall[T]{ID: id, Change: fn}
	if err := r.updateAll(ctx, &one); err != nil {
		return nil, r.failed(ctx, "update", single(err))
	}
	return one.Entity, one.Err
}

// UpdateGroup makes several updates in one transaction; see driver.GroupUpdater.
func (r *Repository[T]) UpdateGroup(ctx context.Context, calls []*driver.UpdateCall[T]) error {
	return r.failed(ctx, "update", r.updateAll(ctx, calls...))
}

func (r *Repository[T]) updateAll(ctx context.Context, calls ...*driver.UpdateCall[T]) error {
	list := lo.Map(calls, func(call *driver.UpdateCall[T], _ int) *updateCall {
		return &updateCall{values: call.Context, id: call.ID, change: func(e reflect.Value) error { return call.Change(pointerTo[T](e)) }}
	})
	err := r.updateGroup(ctx, list)
	for i, call := range calls {
		call.Entity, call.Err = pointerTo[T](list[i].entity), list[i].err
	}
	return err
}

// Delete deletes or marks the entities, all or none; see repo.Repository. The
// hooks BeforeDelete and AfterDelete run here, where the entities are known.
func (r *Repository[T]) Delete(ctx context.Context, es ...*T) error {
	err := driver.CheckEntities(es)
	if err == nil {
		err = r.delete(ctx, valuesOf(es))
	}
	return r.failed(ctx, "delete", err)
}

// Insert inserts the entities, all or none; see repo.Writer. The error is a
// *repo.BatchError but where the database refused a statement with many rows and does not
// say for which.
func (r *Repository[T]) Insert(ctx context.Context, es ...*T) error {
	err := driver.CheckEntities(es)
	if err == nil {
		err = r.insertAll(ctx, valuesOf(es))
	}
	return r.failed(ctx, "insert", err)
}

// InsertIfAbsent looks which keys are stored and inserts the other entities, all or none, in
// one transaction; see repo.Writer. Where another writer inserts one of them in between it
// looks again. In a transaction that is repo.ErrDuplicateKey.
func (r *Repository[T]) InsertIfAbsent(ctx context.Context, es ...*T) ([]*T, error) {
	err := driver.CheckEntities(es)
	var places []int
	if err == nil {
		places, err = r.insertAbsent(ctx, valuesOf(es))
	}
	if err != nil {
		return nil, r.failed(ctx, "insert if absent", err)
	}
	return lo.Map(places, func(i, _ int) *T { return es[i] }), nil
}

// UpsertBy locks the rows that have the natural keys, overwrites them and inserts the other
// entities, all or none, in one transaction; see repo.Writer. It runs the hooks that Save
// runs. An index on the fields is what makes it fast.
//
// On PostgreSQL, outside of a transaction, it is one INSERT ... ON CONFLICT where a tag of T
// says that the fields have a unique index, and T has neither hooks nor plugins. Then rows
// that are overwritten use up numbers of a generated key too, and fire triggers for inserts.
func (r *Repository[T]) UpsertBy(ctx context.Context, es []*T, by ...repo.Handle) (repo.Upserted, error) {
	key, err := driver.CheckNatural(es, by)
	var done repo.Upserted
	if err == nil {
		done, err = r.upsertBy(ctx, valuesOf(es), key)
	}
	return done, r.failed(ctx, "upsert by", err)
}

// FindByID returns the entity with the id; see repo.Repository.
func (r *Repository[T]) FindByID(ctx context.Context, id any) (*T, error) {
	found, err := r.findOne(ctx, id)
	return pointerTo[T](found), r.failed(ctx, "find by id", err)
}

// FindAllByID returns the entities in the order of ids; see repo.Repository. A
// bad id is reported in a *repo.BatchError.
func (r *Repository[T]) FindAllByID(ctx context.Context, ids []any) ([]*T, error) {
	found, err := r.findByID(ctx, ids, true)
	if err != nil {
		return nil, r.failed(ctx, "find all by id", err)
	}
	return pointersTo[T](found), nil
}

// Find returns the entities that satisfy the options; see repo.Repository.
func (r *Repository[T]) Find(ctx context.Context, opts ...repo.Option) ([]*T, error) {
	found := []*T{}
	if err := r.find(ctx, &found, opts); err != nil {
		return nil, r.failed(ctx, "find", err)
	}
	return found, nil
}

// Grouping tells how saves of several callers are put together. They are not
// where associations are saved, nor where callbacks are registered that are not
// GORM's own, unless Options.SkipCallbacks says that they only watch: those of tenants,
// for one, ask the context whose rows they are. Register callbacks before.
func (r *Repository[T]) Grouping(as repo.Repository[T]) driver.Grouping {
	if as != repo.Repository[T](r) {
		return driver.Apart(driver.Wrapped)
	}
	return r.grouping()
}

// GroupSize returns how many of the calls one statement takes.
func (r *Repository[T]) GroupSize(calls []driver.SaveCall[T]) int {
	return driver.GroupSize(calls, r.dialect.rows(len(r.columns)), func(e *T) (any, int) { return r.sizeOf(valueOf(e)) })
}

// SaveGroup saves the entities of several calls, all or none.
func (r *Repository[T]) SaveGroup(ctx context.Context, calls []driver.SaveCall[T]) error {
	err := driver.CheckEntities(lo.FlatMap(calls, func(call driver.SaveCall[T], _ int) []*T { return call.Entities }))
	if err == nil {
		err = r.saveGroup(ctx, saveCalls(calls))
	}
	return r.failed(ctx, "save", err)
}

// SaveParts saves what it can of several calls; see driver.PartSaver.
func (r *Repository[T]) SaveParts(ctx context.Context, calls []driver.SaveCall[T]) ([]error, error) {
	list := saveCalls(calls)
	if err := r.saveParts(ctx, list); err != nil {
		return nil, err
	}
	return lo.Map(list, func(call *saveCall, _ int) error { return call.err }), nil
}

func saveCalls[T any](calls []driver.SaveCall[T]) []*saveCall {
	return lo.Map(calls, func(call driver.SaveCall[T], _ int) *saveCall {
		return &saveCall{values: call.Context, entities: valuesOf(call.Entities), one: call.One}
	})
}

// UpdateGroupSize returns how many of the calls one statement reads.
func (r *Repository[T]) UpdateGroupSize(calls []*driver.UpdateCall[T]) int {
	return r.updateGroupSize(lo.Map(calls, func(call *driver.UpdateCall[T], _ int) any { return call.ID }))
}

// FormOf is the form of e's key; see driver.Keyer.
func (r *Repository[T]) FormOf(e *T) driver.KeyForm {
	if v := valueOf(e); !r.wantsKey(v) {
		return r.formOf(r.entity.KeyOf(v))
	}
	return driver.KeyForm{None: true}
}

// valueOf is the struct that e points to.
func valueOf[T any](e *T) reflect.Value { return reflect.ValueOf(e).Elem() }

func valuesOf[T any](es []*T) []reflect.Value {
	return lo.Map(es, func(e *T, _ int) reflect.Value { return valueOf(e) })
}

// pointerTo points to the struct, nil where there is none.
func pointerTo[T any](e reflect.Value) *T {
	if !e.IsValid() {
		return nil
	}
	p, _ := reflect.TypeAssert[*T](e.Addr())
	return p
}

func pointersTo[T any](es []reflect.Value) []*T {
	return lo.Map(es, func(e reflect.Value, _ int) *T { return pointerTo[T](e) })
}
