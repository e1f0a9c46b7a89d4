package repotest

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-go/holdfast/repo"
)

// someWriter is the repo.Writer of a repository that Features.Writer is set for.
func someWriter[T any](r repo.Repository[T]) repo.Writer[T] {
	w, ok := repo.As[repo.Writer[T]](r)
	if !ok {
		panic("Features.Writer is set and repo.As finds no repo.Writer")
	}
	return w
}

// few is a list that is written as a whole or not at all on every store.
func (g generator) few() []Item {
	list := g.items()
	if !g.features.AtomicSaveAll {
		return list[:min(1, len(list))]
	}
	return list
}

func (g generator) writerStep() Step[Item] {
	list := g.few()
	stock, name := repo.F[Item, int64]("Stock"), repo.F[Item, string]("Name")
	where := []repo.Condition{stock.Lt(1), stock.Eq(2), repo.And(name.Prefix("a"), repo.F[Item, string]("Note").NotNull()), repo.Not(name.Eq("bee")), repo.And()}
	i, text, by := g.rnd.IntN(len(where)), g.pick("ant", "ape", "x"), g.rnd.Int64N(5)-2
	switch g.rnd.IntN(5) {
	case 0:
		return Step[Item]{"Insert " + shown(list), func(ctx context.Context, r repo.Repository[Item]) (any, error) {
			return nil, someWriter(r).Insert(ctx, pointers(list)...)
		}}
	case 1:
		return Step[Item]{"InsertIfAbsent " + shown(list), func(ctx context.Context, r repo.Repository[Item]) (any, error) {
			return someWriter(r).InsertIfAbsent(ctx, pointers(list)...)
		}}
	case 2:
		for i := range list {
			if g.rnd.IntN(3) == 0 { // not one of a list of SaveAll, see there
				list[i].ID = "other-" + list[i].ID
			}
		}
		return Step[Item]{"UpsertBy " + shown(list), func(ctx context.Context, r repo.Repository[Item]) (any, error) {
			es := pointers(list)
			done, err := someWriter(r).UpsertBy(ctx, es, skuOf())
			return fmt.Sprint(done, idsOf(es)), err
		}}
	case 3:
		set := []repo.Assignment{name.Set(text), repo.Increase(stock, by), repo.F[Item, *string]("Note").Set(nil), repo.F[Item, Box]("Box").Set(Box{Width: int(by)})}
		set = set[:1+g.rnd.IntN(len(set))]
		return Step[Item]{fmt.Sprintf("UpdateWhere %d %s %d %d", i, text, by, len(set)), func(ctx context.Context, r repo.Repository[Item]) (any, error) {
			return someWriter(r).UpdateWhere(ctx, where[i], set...)
		}}
	default:
		exact := repo.And(where[i], repo.F[Item, string]("ID").In(g.id(), "other-"+g.id()))
		return Step[Item]{fmt.Sprintf("DeleteWhere %d", i), func(ctx context.Context, r repo.Repository[Item]) (any, error) {
			return someWriter(r).DeleteWhere(ctx, exact)
		}}
	}
}

func (g generator) markedWriterStep(id, name string) Step[Marked] {
	rev := g.rnd.Int64N(4)
	of := repo.F[Marked, string]("Name")
	switch g.rnd.IntN(4) {
	case 0:
		return Step[Marked]{"Restore " + id, func(ctx context.Context, r repo.Repository[Marked]) (any, error) {
			return someWriter(r).Restore(ctx, id)
		}}
	case 1:
		return Step[Marked]{fmt.Sprintf("UpsertBy %s %q rev %d", id, name, rev), func(ctx context.Context, r repo.Repository[Marked]) (any, error) {
			e := &Marked{ID: id, Name: name, Rev: rev}
			done, err := someWriter(r).UpsertBy(ctx, []*Marked{e}, of)
			return fmt.Sprint(done, e.ID, e.Rev), err
		}}
	case 2:
		return Step[Marked]{fmt.Sprintf("UpdateWhere %q", name), func(ctx context.Context, r repo.Repository[Marked]) (any, error) {
			return someWriter(r).UpdateWhere(ctx, of.Eq(name), of.Set("cat"))
		}}
	default:
		return Step[Marked]{fmt.Sprintf("Insert %s rev %d", id, rev), func(ctx context.Context, r repo.Repository[Marked]) (any, error) {
			e := &Marked{ID: id, Name: name, Rev: rev}
			err := someWriter(r).Insert(ctx, e)
			if errors.Is(err, repo.ErrDuplicateKey) {
				return e.Rev, err
			}
			return e, err
		}}
	}
}
