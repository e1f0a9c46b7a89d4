package repotest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/holdfast-go/holdfast/repo"
)

// generator makes random operations on a small set of keys, so that they meet.
type generator struct {
	rnd      *rand.Rand
	features Features
}

func (g generator) pick(list ...string) string { return list[g.rnd.IntN(len(list))] }

func (g generator) id() string { return fmt.Sprintf("k%02d", g.rnd.IntN(12)) }

func (g generator) ids() []any {
	list := make([]any, g.rnd.IntN(5))
	for i := range list {
		if list[i] = g.id(); g.rnd.IntN(4) == 0 {
			list[i] = &Item{ID: g.id()}
		}
	}
	if g.rnd.IntN(25) == 0 {
		list = append(list, 7)
	}
	return list
}

func (g generator) item() Item {
	id := g.id()
	e := Item{
		ID: id, SKU: "sku-" + id, Name: g.pick("", "ant", "ape", "a%", "bee", "日本"), Active: g.rnd.IntN(2) == 0,
		Stock: g.rnd.Int64N(5) - 2, Price: float64(g.rnd.IntN(4)) / 4, At: noon(), Box: Box{Width: g.rnd.IntN(2)},
	}
	if g.rnd.IntN(2) == 0 {
		note := g.pick("", "n1", "n2")
		e.Note = &note
	}
	if g.rnd.IntN(2) == 0 {
		e.Tags, e.Labels = []string{g.pick("x", "y")}, map[string]string{g.pick("p", "q"): g.pick("1", "2")}
	}
	return e
}

func (g generator) items() []Item {
	list := make([]Item, g.rnd.IntN(6))
	for i := range list {
		list[i] = g.item()
	}
	return list
}

func pointers(list []Item) []*Item {
	ps := make([]*Item, len(list))
	for i := range list {
		e := list[i] // the two repositories must not share what they write to
		ps[i] = &e
	}
	return ps
}

// document is a partial one, as a client that merges sends it.
func (g generator) document() string {
	members := []string{
		fmt.Sprintf(`"name":%q`, g.pick("", "ant", "cat")), fmt.Sprintf(`"stock":%d`, g.rnd.IntN(4)), `"note":null`, `"note":"n3"`,
		`"tags":null`, `"tags":["z"]`, `"labels":{"p":null,"r":"3"}`, `"labels":{}`, `"labels":null`, `"box":{"width":4}`, `"box":{"colour":"red"}`,
		`"box":{"width":null}`, `"box":null`, `"box":{}`, `"active":false`, `"price":0`,
	}
	id := g.id()
	text := []string{fmt.Sprintf(`"id":%q,"sku":"sku-%s","at":"2024-02-29T12:00:00.125Z"`, id, id)}
	used := map[string]bool{}
	for range g.rnd.IntN(4) {
		m := members[g.rnd.IntN(len(members))]
		if name, _, _ := strings.Cut(m, ":"); !used[name] {
			used[name] = true
			text = append(text, m)
		}
	}
	if g.rnd.IntN(40) == 0 {
		text = append(text, `"stock":"many"`)
	}
	return "{" + strings.Join(text, ",") + "}"
}

func (g generator) query() (string, []repo.Option) {
	name, stock, note := repo.F[Item, string]("Name"), repo.F[Item, int64]("Stock"), repo.F[Item, string]("Note")
	n, s := g.rnd.Int64N(5)-2, g.pick("", "a", "ant", "a%", "bee", "日")
	conds := []repo.Condition{
		name.Eq(s), name.Ne(s), name.Prefix(s), name.Contains(s), name.Suffix(s), name.In(s, "ape"), name.NotIn(s, "ape"), stock.Lt(n), stock.Ge(n), stock.Eq(n),
		note.Null(), note.NotNull(), note.Ne("n1"), repo.F[Item, bool]("Active").Eq(n > 0), repo.F[Item, float64]("Price").Gt(0.25),
	}
	text := fmt.Sprintf("n=%d s=%q", n, s)
	var q []repo.Option
	for range g.rnd.IntN(3) {
		i, j := g.rnd.IntN(len(conds)), g.rnd.IntN(len(conds))
		if c := conds[i]; g.rnd.IntN(3) == 0 {
			q, text = append(q, repo.Or(c, repo.Not(conds[j]))), fmt.Sprintf("%s or(%d,not %d)", text, i, j)
		} else {
			q, text = append(q, c), fmt.Sprintf("%s cond(%d)", text, i)
		}
	}
	return text, q
}

func (g generator) itemStep() Step[Item] {
	if g.features.Writer && g.rnd.IntN(4) == 0 {
		return g.writerStep()
	}
	id, ids, e, list := g.id(), g.ids(), g.item(), g.items()
	switch g.rnd.IntN(12) {
	case 0:
		return Step[Item]{"FindByID " + id, func(ctx context.Context, r repo.Repository[Item]) (any, error) { return r.FindByID(ctx, id) }}
	case 1:
		return Step[Item]{fmt.Sprint("FindAllByID ", shown(ids)), func(ctx context.Context, r repo.Repository[Item]) (any, error) {
			return r.FindAllByID(ctx, ids)
		}}
	case 2:
		return Step[Item]{"ExistsByID " + id, func(ctx context.Context, r repo.Repository[Item]) (any, error) { return r.ExistsByID(ctx, id) }}
	case 3, 4:
		return g.findStep()
	case 5:
		return Step[Item]{"Delete " + shown(list), func(ctx context.Context, r repo.Repository[Item]) (any, error) {
			return nil, r.Delete(ctx, pointers(list)...)
		}}
	case 6:
		return Step[Item]{fmt.Sprint("DeleteAllByID ", shown(ids)), func(ctx context.Context, r repo.Repository[Item]) (any, error) {
			return r.DeleteAllByID(ctx, ids)
		}}
	case 7:
		return g.smartSaveStep()
	case 8:
		return Step[Item]{"SaveAll " + shown(list), func(ctx context.Context, r repo.Repository[Item]) (any, error) {
			return nil, r.SaveAll(ctx, pointers(list))
		}}
	case 9:
		if g.features.Update {
			return g.updateStep()
		}
	}
	if g.rnd.IntN(3) == 0 {
		e.SKU = "shared"
	}
	return Step[Item]{"Save " + shown(e), func(ctx context.Context, r repo.Repository[Item]) (any, error) {
		mine := e
		return nil, r.Save(ctx, &mine)
	}}
}

func (g generator) findStep() Step[Item] {
	text, q := g.query()
	if g.rnd.IntN(3) == 0 {
		return Step[Item]{"Count " + text, func(ctx context.Context, r repo.Repository[Item]) (any, error) { return r.Count(ctx, q...) }}
	}
	q = append(q, repo.F[Item, int64]("Stock").Desc(), repo.F[Item, string]("ID").Asc())
	if n := g.rnd.IntN(6); n > 0 {
		off := g.rnd.IntN(3)
		q, text = append(q, repo.Limit(n), repo.Offset(off)), fmt.Sprintf("%s limit %d offset %d", text, n, off)
	}
	return Step[Item]{"Find " + text, func(ctx context.Context, r repo.Repository[Item]) (any, error) { return r.Find(ctx, q...) }}
}

func (g generator) smartSaveStep() Step[Item] {
	var dto repo.SmartSaveDTO
	for range g.rnd.IntN(5) {
		dto.EntityList = append(dto.EntityList, g.document())
	}
	// What the earlier of two documents of one entity returns is left open.
	dto.EntityList = firstOfEach(dto.EntityList)
	if g.rnd.IntN(3) == 0 {
		return Step[Item]{"SmartSave " + shown(dto), func(ctx context.Context, r repo.Repository[Item]) (any, error) {
			return r.SmartSave(ctx, dto)
		}}
	}
	name, opt := "Merge", repo.Merge()
	if g.rnd.IntN(2) == 0 {
		name, opt = "MergeNonNull", repo.MergeNonNull()
	}
	return Step[Item]{name + " " + shown(dto), func(ctx context.Context, r repo.Repository[Item]) (any, error) {
		return r.SmartSave(ctx, dto, opt)
	}}
}

// firstOfEach leaves out further documents of an entity.
func firstOfEach(texts []string) []string {
	seen := map[string]bool{}
	var list []string
	for _, text := range texts {
		if key, _, _ := strings.Cut(text, ","); !seen[key] {
			seen[key] = true
			list = append(list, text)
		}
	}
	return list
}

func (g generator) updateStep() Step[Item] {
	id, name, refuse := g.id(), g.pick("", "ant", "dog"), g.rnd.IntN(5) == 0
	return Step[Item]{fmt.Sprintf("Update %s name=%q refuse=%v", id, name, refuse), func(ctx context.Context, r repo.Repository[Item]) (any, error) {
		u, ok := repo.As[repo.Updater[Item]](r)
		if !ok {
			return nil, errors.New("no Updater")
		}
		return u.Update(ctx, id, func(e *Item) error {
			e.Name, e.Note = name, nil
			e.Stock++
			e.Box.Width++
			if refuse {
				return errRefused
			}
			return nil
		})
	}}
}

func (g generator) markedUpdate(id, name string) Step[Marked] {
	return Step[Marked]{fmt.Sprintf("Update %s %q", id, name), func(ctx context.Context, r repo.Repository[Marked]) (any, error) {
		u, ok := repo.As[repo.Updater[Marked]](r)
		if !ok {
			return nil, errors.New("no Updater")
		}
		return u.Update(ctx, id, func(e *Marked) error {
			e.Name, e.Rev = name, 99 // which only the store counts
			return nil
		})
	}}
}

func (g generator) defaultedStep() Step[Defaulted] {
	e := Defaulted{ID: g.id(), Age: g.rnd.IntN(3) * 9, On: g.rnd.IntN(2) == 0, Kind: g.pick("", "abc", "x"), Plain: g.rnd.IntN(2)}
	if g.rnd.IntN(2) == 0 {
		e.Opt = new(g.rnd.IntN(2) == 0)
	}
	members := []string{`"age":0`, `"age":7`, `"on":false`, `"on":true`, `"kind":""`, `"opt":null`, `"opt":false`, `"plain":5`}
	doc := fmt.Sprintf(`{"id":%q,%s}`, e.ID, members[g.rnd.IntN(len(members))])
	switch g.rnd.IntN(6) {
	case 0:
		return Step[Defaulted]{"Delete " + e.ID, func(ctx context.Context, r repo.Repository[Defaulted]) (any, error) {
			return nil, r.DeleteByID(ctx, e.ID)
		}}
	case 1, 2:
		opt := []repo.SmartSaveOption{repo.Replace(), repo.Merge(), repo.MergeNonNull()}[g.rnd.IntN(3)]
		return Step[Defaulted]{"SmartSave " + doc, func(ctx context.Context, r repo.Repository[Defaulted]) (any, error) {
			return r.SmartSave(ctx, docs(doc), opt)
		}}
	case 3:
		return Step[Defaulted]{"SaveAll " + shown(e), func(ctx context.Context, r repo.Repository[Defaulted]) (any, error) {
			list := []*Defaulted{new(e), {ID: "fixed"}}
			err := r.SaveAll(ctx, list)
			return list, err
		}}
	}
	return Step[Defaulted]{"Save " + shown(e), func(ctx context.Context, r repo.Repository[Defaulted]) (any, error) {
		mine := e
		err := r.Save(ctx, &mine)
		return &mine, err
	}}
}

func (g generator) markedStep() Step[Marked] {
	id, name, rev := g.id(), g.pick("", "ant", "bee"), g.rnd.Int64N(4)
	if g.features.Writer && g.rnd.IntN(4) == 0 {
		return g.markedWriterStep(id, name)
	}
	switch g.rnd.IntN(10) {
	case 8:
		doc := fmt.Sprintf(`{"id":%q,"name":%q,"rev":%d}`, id, name, rev/2*rev)
		return Step[Marked]{"Replace " + doc, func(ctx context.Context, r repo.Repository[Marked]) (any, error) {
			out, err := r.SmartSave(ctx, docs(doc))
			if errors.Is(err, repo.ErrDuplicateKey) || errors.Is(err, repo.ErrNotFound) {
				return "the key is taken", nil
			}
			return out, err
		}}
	case 9:
		if g.features.Update {
			return g.markedUpdate(id, name)
		}
	case 0:
		return Step[Marked]{"FindByID " + id, func(ctx context.Context, r repo.Repository[Marked]) (any, error) { return r.FindByID(ctx, id) }}
	case 1:
		return Step[Marked]{"Count", func(ctx context.Context, r repo.Repository[Marked]) (any, error) { return r.Count(ctx) }}
	case 2:
		return Step[Marked]{fmt.Sprint("Delete ", id, " rev ", rev), func(ctx context.Context, r repo.Repository[Marked]) (any, error) {
			return nil, r.Delete(ctx, &Marked{ID: id, Rev: rev})
		}}
	case 3:
		other := g.id()
		return Step[Marked]{fmt.Sprint("DeleteAllByID ", id, " ", other), func(ctx context.Context, r repo.Repository[Marked]) (any, error) {
			return r.DeleteAllByID(ctx, []any{id, other})
		}}
	case 4:
		doc := fmt.Sprintf(`{"id":%q,"name":%q}`, id, name)
		return Step[Marked]{"Merge " + doc, func(ctx context.Context, r repo.Repository[Marked]) (any, error) {
			return r.SmartSave(ctx, docs(doc), repo.Merge())
		}}
	}
	return Step[Marked]{fmt.Sprintf("Save %s %q rev %d", id, name, rev), func(ctx context.Context, r repo.Repository[Marked]) (any, error) {
		e := &Marked{ID: id, Name: name, Rev: rev}
		err := r.Save(ctx, e)
		if rev == 0 && (errors.Is(err, repo.ErrDuplicateKey) || errors.Is(err, repo.ErrNotFound)) {
			// A store may say either of a key that a deleted entity holds.
			return "the key is taken", nil
		}
		return e.Rev, err
	}}
}
