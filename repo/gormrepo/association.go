package gormrepo

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/samber/lo"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo"
)

// link is an association of a type of entities. Its elements are saved by a store of
// their own type, so that the rules of this package hold for them too: GORM's upsert
// would overwrite the rows of others by their key or, on MySQL, by any unique index.
type link struct {
	*schema.Relationship
	to *store
	// orphans tells that stored elements which a list leaves out are deleted.
	orphans bool
}

// owned tells whether the elements belong to one entity, by a foreign key of their own.
// Others are shared.
func (l *link) owned() bool { return l.Type == schema.HasOne || l.Type == schema.HasMany }

// loaded tells whether the entity says which elements it has. A nil list says nothing.
func (l *link) loaded(ctx context.Context, e reflect.Value) bool {
	_, zero := l.Field.ValueOf(ctx, e)
	return !zero
}

// elements are those of an entity. One that is nil is not valid.
func (l *link) elements(ctx context.Context, e reflect.Value) []reflect.Value {
	if !l.loaded(ctx, e) {
		return nil
	}
	f := reflect.Indirect(l.Field.ReflectValueOf(ctx, e))
	if f.Kind() == reflect.Struct {
		return []reflect.Value{f}
	}
	return lo.Times(f.Len(), func(i int) reflect.Value { return reflect.Indirect(f.Index(i)) })
}

// refer writes foreign keys into their holder.
func refer(ctx context.Context, refs []*schema.Reference, holder, to reflect.Value) error {
	for _, ref := range refs {
		if err := ref.ForeignKey.Set(ctx, holder, referred(ctx, ref, to)); err != nil {
			return err
		}
	}
	return nil
}

// referred is what a foreign key has for an entity.
func referred(ctx context.Context, ref *schema.Reference, e reflect.Value) any {
	if ref.PrimaryValue != "" {
		return ref.PrimaryValue
	}
	value, _ := ref.PrimaryKey.ValueOf(ctx, e)
	return value
}

// owner is the foreign key of an element as a map key, and whether there is none.
func (l *link) owner(ctx context.Context, e reflect.Value) (key any, none bool) {
	none = true
	values := lo.Map(l.References, func(ref *schema.Reference, _ int) any {
		v, zero := ref.ForeignKey.ValueOf(ctx, e)
		none = none && zero
		return v
	})
	return identity(values), none
}

// readAssociations makes the links of a type and of those that it is associated with.
func (r *store) readAssociations(made map[reflect.Type]*store) error {
	made[r.entity.Type] = r
	all := &r.schema.Relationships
	for _, rel := range slices.Concat(all.BelongsTo, all.HasOne, all.HasMany, all.Many2Many) {
		t := rel.FieldSchema.ModelType
		if made[t] == nil {
			opts := r.opts
			opts.Associations, opts.Orphans, opts.Preload, opts.NewID, opts.Sequence = false, nil, nil, nil, nil
			to, err := newStore(r.db, t, &opts)
			if err == nil {
				to.opts.Associations = true
				err = to.readAssociations(made)
			}
			if err != nil {
				return fmt.Errorf("association %s of %s: %w", rel.Name, r.entity.Type, err)
			}
		}
		r.links = append(r.links, &link{Relationship: rel, to: made[t]})
	}
	return nil
}

// useAssociations obeys the options that name associations.
func (r *store) useAssociations() error {
	if !r.opts.Associations {
		if len(r.opts.Orphans)+len(r.opts.Preload) > 0 {
			return fmt.Errorf("%w: Orphans or Preload without Associations", repo.ErrInvalid)
		}
		return nil
	}
	if err := r.readAssociations(map[reflect.Type]*store{}); err != nil {
		return err
	}
	for _, path := range r.opts.Orphans {
		links, err := r.linksAlong(path)
		if err != nil {
			return fmt.Errorf("option Orphans: %w", err)
		}
		last := links[len(links)-1]
		if last.Type == schema.BelongsTo {
			return fmt.Errorf("%w: option Orphans: others may refer to %s as well", repo.ErrInvalid, path)
		}
		if last.JoinTable != nil && len(last.JoinTable.DeleteClauses) > 0 {
			return fmt.Errorf("%w: option Orphans: the join table of %s marks rows as deleted", repo.ErrUnsupported, path)
		}
		last.orphans = true
	}
	// An element that is added to a list which was not read would make orphans of all others.
	for _, path := range lo.Union(r.opts.Preload, r.opts.Orphans) {
		links, err := r.linksAlong(path)
		if err != nil {
			return fmt.Errorf("option Preload: %w", err)
		}
		r.preloads = append(r.preloads, preload{path, links})
	}
	return nil
}

// linksAlong are the associations on a path such as "Lines.Parts".
func (r *store) linksAlong(path string) ([]*link, error) {
	var links []*link
	at := r
	for name := range strings.SplitSeq(path, ".") {
		l, ok := lo.Find(at.links, func(l *link) bool { return l.Name == name })
		if !ok {
			return nil, fmt.Errorf("%w: %s of %s is no association", repo.ErrInvalid, path, r.entity.Type)
		}
		links, at = append(links, l), l.to
	}
	return links, nil
}
