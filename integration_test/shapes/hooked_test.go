package shapes_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/samber/lo"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/integration_test/internal/inmemory"
	"github.com/holdfast-go/holdfast/integration_test/internal/scale"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/repotest"
)

// hooked has hooks that change it and that refuse it, a version, a default and a
// nested document.
type hooked struct {
	ID   string       `gorm:"primaryKey;size:50" json:"id"`
	Name string       `gorm:"size:50" json:"name"`
	Note *string      `gorm:"size:50" json:"note"`
	Kind string       `gorm:"size:20;default:abc" json:"kind"`
	Box  repotest.Box `gorm:"serializer:json" json:"box"`
	Rev  int64        `json:"rev" holdfast:"version"`
	// Slug follows from the name, and By from the last hook.
	Slug string `gorm:"size:50" json:"slug"`
	By   string `gorm:"size:50" json:"by"`
	// Ran are the hooks that have run, and Read is what AfterFind has seen.
	Ran  []string `gorm:"-" json:"ran"`
	Read string   `gorm:"-" json:"read"`
}

var errHook = errors.New("a hook refuses")

func (h *hooked) ran(hook, refused string) error {
	h.Ran = append(h.Ran, hook)
	if h.Name == refused {
		return errHook
	}
	return nil
}

func (h *hooked) BeforeSave(*gorm.DB) error {
	h.Slug = strings.ToUpper(h.Name) + fmt.Sprint(h.Box.Width)
	return h.ran("BeforeSave", "bad")
}

func (h *hooked) BeforeCreate(*gorm.DB) error {
	h.By = "create " + h.Name
	return h.ran("BeforeCreate", "no new")
}

func (h *hooked) BeforeUpdate(*gorm.DB) error {
	h.By = "update " + h.Name
	return h.ran("BeforeUpdate", "no old")
}

func (h *hooked) AfterCreate(*gorm.DB) error  { return h.ran("AfterCreate", "late new") }
func (h *hooked) AfterUpdate(*gorm.DB) error  { return h.ran("AfterUpdate", "late old") }
func (h *hooked) AfterSave(*gorm.DB) error    { return h.ran("AfterSave", "late") }
func (h *hooked) BeforeDelete(*gorm.DB) error { return h.ran("BeforeDelete", "keep") }
func (h *hooked) AfterDelete(*gorm.DB) error  { return h.ran("AfterDelete", "late keep") }
func (h *hooked) AfterFind(*gorm.DB) error    { h.Read = h.Slug; return nil }

// What random operations answer on a type with hooks, and which run, is what a model
// answers that calls them by the documented rule.
func TestGormModel_Hooks(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		inner, ok := inmemory.Of[hooked](nil)(t).(hookless)
		if !ok {
			t.Fatal("memory has no Update")
		}
		model := &hookedModel{hookless: inner}
		repotest.Compare[hooked](t, sqldb.Repository[hooked](t, b.Open(t), nil), model, int(scale.Full(int64(3000))), hookedSteps{shapeRandom(t)}.next)
	})
}

// hookedSteps makes operations on a few keys.
type hookedSteps struct{ rnd *rand.Rand }

func (g hookedSteps) pick(list ...string) string { return list[g.rnd.IntN(len(list))] }

func (g hookedSteps) entity() hooked {
	e := hooked{
		ID: "k" + g.pick("1", "2", "3", "4", "5"), Rev: g.rnd.Int64N(4), Kind: g.pick("", "x"), Box: repotest.Box{Width: g.rnd.IntN(3)},
		Name: g.pick("", "ant", "bee", "cat", "bad", "no new", "no old", "late", "late new", "late old", "keep", "late keep"),
	}
	if g.rnd.IntN(2) == 0 {
		e.Note = new(g.pick("", "n"))
	}
	return e
}

func (g hookedSteps) document(e hooked) string {
	members := []string{
		fmt.Sprintf(`"name":%q`, e.Name), `"note":null`, `"note":"m"`, `"kind":"y"`, `"box":{"width":2}`, `"box":{"colour":"red"}`, `"box":null`,
		fmt.Sprintf(`"rev":%d`, e.Rev), `"slug":"mine"`,
	}
	g.rnd.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	named := lo.UniqBy(members[:g.rnd.IntN(4)], func(m string) string { return m[:5] })
	return fmt.Sprintf(`{"id":%q%s}`, e.ID, strings.Join(lo.Map(named, func(m string, _ int) string { return "," + m }), ""))
}

func (g hookedSteps) next() repotest.Step[hooked] {
	e, other := g.entity(), g.entity()
	list := []hooked{e, other}
	switch g.rnd.IntN(8) {
	case 0:
		return hookedStep("SaveAll", list, func(ctx context.Context, r repo.Repository[hooked], es []*hooked) ([]*hooked, error) {
			return es, r.SaveAll(ctx, es)
		})
	case 1:
		return hookedStep("Delete", list, func(ctx context.Context, r repo.Repository[hooked], es []*hooked) ([]*hooked, error) {
			es = lo.UniqBy(es, func(e *hooked) string { return e.ID })
			return es, r.Delete(ctx, es...)
		})
	case 2:
		return hookedStep("FindAllByID", list, func(ctx context.Context, r repo.Repository[hooked], es []*hooked) ([]*hooked, error) {
			found, err := r.FindAllByID(ctx, []any{es[1].ID, es[0].ID})
			return found, err
		})
	case 3, 4:
		docs := lo.UniqBy([]string{g.document(e), g.document(other)}, func(doc string) string { return doc[:10] })
		opt := []repo.SmartSaveOption{repo.Replace(), repo.Merge(), repo.MergeNonNull()}[g.rnd.IntN(3)]
		return hookedStep("SmartSave "+shownJSON(docs), nil, func(ctx context.Context, r repo.Repository[hooked], _ []*hooked) ([]*hooked, error) {
			return r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: docs}, opt)
		})
	case 5:
		return hookedStep("Update", list[:1], func(ctx context.Context, r repo.Repository[hooked], es []*hooked) ([]*hooked, error) {
			u, _ := repo.As[repo.Updater[hooked]](r)
			saved, err := u.Update(ctx, es[0].ID, func(stored *hooked) error {
				stored.Name, stored.Note, stored.Box = es[0].Name, es[0].Note, es[0].Box
				return nil
			})
			return []*hooked{saved}, err
		})
	case 6:
		return hookedStep("DeleteByID", list[:1], func(ctx context.Context, r repo.Repository[hooked], es []*hooked) ([]*hooked, error) {
			return nil, r.DeleteByID(ctx, es[0].ID)
		})
	}
	return hookedStep("Save", list[:1], func(ctx context.Context, r repo.Repository[hooked], es []*hooked) ([]*hooked, error) {
		return es, r.Save(ctx, es[0])
	})
}

// hookedStep gives each repository copies of its own.
func hookedStep(name string, list []hooked, do func(ctx context.Context, r repo.Repository[hooked], es []*hooked) ([]*hooked, error)) repotest.Step[hooked] {
	return repotest.Step[hooked]{Text: name + " " + shownJSON(list), Do: func(ctx context.Context, r repo.Repository[hooked]) (any, error) {
		out, err := do(ctx, r, lo.Map(slices.Clone(list), func(e hooked, _ int) *hooked { return &e }))
		// Which of several elements is refused first is left open.
		several := len(list) != 1 && (errors.Is(err, repo.ErrStale) || errors.Is(err, repo.ErrDuplicateKey))
		if errors.Is(err, errHook) || several {
			return "refused", nil
		}
		for _, e := range out {
			if e != nil && len(e.Ran) > 0 {
				e.Read = "" // of the row that was read for the write, where one was
			}
		}
		return out, err
	}}
}
