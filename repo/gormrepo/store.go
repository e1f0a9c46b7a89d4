package gormrepo

import (
	"reflect"
	"sync/atomic"
	"time"

	"github.com/samber/lo"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/fence"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/txconn"
)

// store is a repository of entities whose type is known when the program runs. An
// entity is the reflect.Value of its struct, which can be set.
type store struct {
	db *gorm.DB
	// database is the *sql.DB, by which repositories know that they share one.
	database any
	// foreign tells that db is a transaction which somebody else commits.
	foreign bool
	opts    Options
	dialect dialect
	fence   *fence.Fence
	server  txconn.Server
	// trusted tells that no plugin takes writes out of their transaction.
	trusted atomic.Bool
	// links are the associations that are saved, and preloads those that Update reads.
	links    []*link
	preloads []preload
	// sequence makes the keys, nil where that is not asked for.
	sequence *sequence
	// unique are the columns of the unique indexes that the type tells of.
	unique func() [][]string
	// plugged tells that saves run the callbacks of plugins.
	plugged bool
	// careful tells that the table takes no INSERT of T, proven that it does.
	careful, proven atomic.Bool
	// types are those of the columns of PostgreSQL, as far as they are known.
	types atomic.Pointer[columnTypes]
	*model
}

// now is the time that a save writes, as precise as the databases keep it, so
// that the entity in memory equals the stored one.
func (r *store) now() time.Time {
	return r.db.NowFunc().Round(0).Truncate(time.Microsecond)
}

// newPointer points to a new entity.
func (m *model) newPointer() any { return reflect.New(m.entity.Type).Interface() }

// newValue is a new entity.
func (m *model) newValue() reflect.Value { return reflect.New(m.entity.Type).Elem() }

// newList points to an empty list of pointers to entities, for GORM to read into.
func (m *model) newList() reflect.Value {
	return reflect.New(reflect.SliceOf(reflect.PointerTo(m.entity.Type)))
}

// listOf points to a list of pointers to the items' entities.
func (m *model) listOf(items []*item) reflect.Value {
	list := m.newList()
	list.Elem().Grow(len(items))
	list.Elem().SetLen(len(items))
	for i, it := range items {
		list.Elem().Index(i).Set(it.val.Addr())
	}
	return list
}

// valuesIn are the entities of a list of pointers to them.
func valuesIn(list reflect.Value) []reflect.Value {
	return lo.Times(list.Elem().Len(), func(i int) reflect.Value { return list.Elem().Index(i).Elem() })
}
