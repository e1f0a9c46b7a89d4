package gormrepo

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"reflect"

	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/txconn"
)

// KeyFields names the fields of the key; see driver.Reader.
func (r *store) KeyFields() []string { return r.entity.KeyNames() }

// Stream yields the entities one by one from the rows of one query; see driver.Reader. The
// hook AfterFind runs for each of them. The rows have a connection of the pool until the loop
// ends: where the pool has one only, a call in the loop waits for it until its context
// ends. repo.ErrUnsupported for a Native option that loads associations.
func (r *Repository[T]) Stream(ctx context.Context, opts ...repo.Option) iter.Seq2[*T, error] {
	if _, fenced := driver.FenceFrom(ctx); fenced || r.TxState(ctx) != driver.TxNone {
		return driver.Yield(func() ([]*T, error) { return r.Find(ctx, opts...) })
	}
	return func(yield func(*T, error) bool) {
		err := r.stream(ctx, opts, func(e reflect.Value) bool { return yield(pointerTo[T](e), nil) })
		if err != nil {
			yield(nil, r.failed(ctx, "stream", err))
		}
	}
}

// stream calls visit with every entity until it returns false.
func (r *store) stream(ctx context.Context, opts []repo.Option, visit func(e reflect.Value) bool) error {
	q, err := r.compile(ctx, opts)
	if err != nil {
		return err
	}
	return r.read(ctx, func(tx *gorm.DB) error {
		tx, err := r.restrict(tx, q)
		if err != nil {
			return err
		}
		if len(tx.Statement.Preloads) > 0 {
			return fmt.Errorf("%w: associations in a stream", repo.ErrUnsupported)
		}
		rows, err := r.rowsOf(r.cut(r.ordered(r.projected(tx, q), q), q))
		if err != nil {
			return err
		}
		defer rows.Close()
		return r.visit(ctx, rows, visit)
	})
}

// rowsOf runs a query whose rows are read here and not by GORM. Its text is made by the
// callbacks for queries, those of plugins too, which run without a statement.
func (r *store) rowsOf(tx *gorm.DB) (*sql.Rows, error) {
	dry := tx.Session(&gorm.Session{DryRun: true}).Find(r.newList().Interface())
	if dry.Error != nil {
		return nil, dry.Error
	}
	on, s := tx.Statement.ConnPool, dry.Statement
	if _, counted := on.(txconn.Counter); counted && s.ConnPool != on {
		return nil, errElsewhere(tx)
	}
	return s.ConnPool.QueryContext(s.Context, s.SQL.String(), s.Vars...)
}

func (r *store) visit(ctx context.Context, rows *sql.Rows, visit func(e reflect.Value) bool) error {
	s, err := r.newScanner(rows)
	if err != nil {
		return err
	}
	hook := r.schema.AfterFind && !r.db.Statement.SkipHooks
	for rows.Next() {
		e := r.newValue()
		if err := s.scan(ctx, rows, e); err != nil {
			return err
		}
		if h, ok := reflect.TypeAssert[callbacks.AfterFindInterface](e.Addr()); ok && hook {
			if err := h.AfterFind(r.session(ctx, r.pool(ctx))); err != nil {
				return err
			}
		}
		if !visit(e) {
			return nil
		}
		if err := driver.Ended(ctx); err != nil { // rows that are here already would go on
			return err
		}
	}
	return rows.Err()
}

// scanner reads rows into entities as GORM does. A column that is no field is left out.
type scanner struct {
	fields []*schema.Field
	values []any
}

func (m *model) newScanner(rows *sql.Rows) (*scanner, error) {
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	s := &scanner{make([]*schema.Field, len(names)), make([]any, len(names))}
	for i, name := range names {
		if f := m.schema.LookUpField(name); f != nil && f.Readable {
			s.fields[i] = f
		} else {
			s.values[i] = new(any)
		}
	}
	return s, nil
}

func (s *scanner) scan(ctx context.Context, rows *sql.Rows, e reflect.Value) error {
	for i, f := range s.fields {
		if f != nil {
			s.values[i] = f.NewValuePool.Get()
		}
	}
	if err := rows.Scan(s.values...); err != nil {
		return err
	}
	for i, f := range s.fields {
		if f == nil {
			continue
		}
		if err := f.Set(ctx, e, s.values[i]); err != nil {
			return err
		}
		f.NewValuePool.Put(s.values[i])
	}
	return nil
}
