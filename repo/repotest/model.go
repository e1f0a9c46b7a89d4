package repotest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/repo"
)

// RunModel runs steps random operations on the repositories of h and on those
// of model, one after the other, and wants the same answers, the same kinds of
// errors and in the end the same entities. It prints its seed; the environment
// variable REPOTEST_SEED repeats a run. Both harnesses must make Items; where
// both make Marked, versions and soft deletion are compared too, with FromZero those
// that begin at 0, and with Defaulted the defaults.
func RunModel(t *testing.T, h, model Harness, steps int) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("REPOTEST_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("REPOTEST_SEED: %v", err)
		}
	}
	t.Logf("REPOTEST_SEED=%d", seed)
	features := h.Features
	features.Update = h.Features.Update && model.Features.Update
	features.Writer = h.Features.Writer && model.Features.Writer
	t.Run("Items", func(t *testing.T) {
		g := generator{rand.New(rand.NewPCG(seed, 1)), features}
		Compare(t, h.items(t), model.items(t), steps, g.itemStep)
	})
	t.Run("Marked", func(t *testing.T) {
		g := generator{rand.New(rand.NewPCG(seed, 2)), features}
		Compare(t, h.marked(t), model.marked(t), steps, g.markedStep)
	})
	t.Run("FromZero", func(t *testing.T) {
		g := generator{rand.New(rand.NewPCG(seed, 3)), features}
		Compare(t, from(t, "Marked from version 0", h.FromZero), from(t, "Marked from version 0", model.FromZero), steps, g.markedStep)
	})
	t.Run("Defaulted", func(t *testing.T) {
		g := generator{rand.New(rand.NewPCG(seed, 4)), features}
		Compare(t, from(t, "Defaulted", h.Defaulted), from(t, "Defaulted", model.Defaulted), steps, g.defaultedStep)
	})
}

// Step is one operation with its arguments fixed.
type Step[T any] struct {
	// Text says what it does, and Do does it and returns what it answers: entities,
	// anything else that fmt prints alike, or an error.
	Text string
	Do   func(ctx context.Context, r repo.Repository[T]) (any, error)
}

// Compare is RunModel for an entity and operations of your own, such as one with
// hooks, where model calls what the store calls. It takes steps operations from next,
// and wants the same answers and errors of the same kinds, and now and then and in
// the end the same entities, in the order of their field ID. Do must not change what
// both repositories get.
func Compare[T any](t *testing.T, subject, model repo.Repository[T], steps int, next func() Step[T]) {
	t.Helper()
	var history []string
	check := func(s Step[T]) {
		got, want := answer(t.Context(), subject, s), answer(t.Context(), model, s)
		history = append(history, s.Text+" -> "+want)
		if got != want {
			t.Fatalf("step %d: %s\n  got  %s\n  want %s\nbefore it:\n  %s", len(history), s.Text, got, want,
				strings.Join(history[max(0, len(history)-30):len(history)-1], "\n  "))
		}
	}
	all := Step[T]{"Find()", func(ctx context.Context, r repo.Repository[T]) (any, error) {
		return r.Find(ctx, repo.F[T, string]("ID").Asc())
	}}
	for i := range steps {
		check(next())
		if i%20 == 0 {
			check(all)
		}
	}
	check(all)
}

// answer is the result as text, without what two stores may do differently.
func answer[T any](ctx context.Context, r repo.Repository[T], s Step[T]) string {
	out, err := s.Do(ctx, r)
	if err != nil {
		return kindOf(err)
	}
	switch list := out.(type) {
	case []*T:
		texts := make([]string, len(list))
		for i, e := range list {
			texts[i] = plainText(e)
		}
		return strings.Join(texts, " ")
	case *T:
		return plainText(list)
	default:
		return fmt.Sprint(out)
	}
}

func plainText[T any](e *T) string {
	if e == nil {
		return "nil"
	}
	c := canonical(e)
	if m, ok := any(&c).(*Marked); ok {
		m.Made, m.Seen = time.Time{}, time.Time{} // each store has its own clock
	}
	b, err := json.Marshal(c)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// kindOf names the sentinel that err matches.
func kindOf(err error) string {
	for _, sentinel := range []error{
		repo.ErrEmptySave, repo.ErrTooMany, repo.ErrInvalid, // the first two match the third
		repo.ErrNotFound, repo.ErrDuplicateKey, repo.ErrStale, repo.ErrUnsupported, errRefused,
	} {
		if errors.Is(err, sentinel) {
			return "error: " + sentinel.Error()
		}
	}
	return "error: " + err.Error()
}

var errRefused = errors.New("repotest: the function refuses")
