package driver_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

type claims []repo.Claim

func (c claims) Claims() []repo.Claim { return c }

type guarding struct {
	claims
	keys []string
}

func (g guarding) Keys() []string { return g.keys }

func TestGuardKeys(t *testing.T) {
	t.Parallel()
	one, two := claims{{Key: "a"}}, claims{{Key: "a"}, {Key: "b"}}
	for name, c := range map[string]struct {
		fence driver.Fence
		shown []repo.Claim
		want  []string
	}{
		"OneClaim":         {one, one, []string{"a"}},
		"Several":          {two, two, nil},
		"NoClaim":          {claims{}, nil, nil},
		"Named":            {guarding{two, []string{"b"}}, two, []string{"b"}},
		"NamedInItsOrder":  {guarding{two, []string{"b", "a"}}, two, []string{"b", "a"}},
		"NamedAndNotShown": {guarding{one, []string{"b", "a"}}, one, []string{"a"}},
		"NamesNone":        {guarding{one, nil}, one, nil},
	} {
		if got := driver.GuardKeys(c.fence, c.shown); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestEnded(t *testing.T) {
	t.Parallel()
	cause := errors.New("the lock is lost")
	ctx, cancel := context.WithCancelCause(t.Context())
	if err := driver.Ended(ctx); err != nil {
		t.Errorf("before its end: %v", err)
	}
	cancel(cause)
	if err := driver.Ended(ctx); !errors.Is(err, context.Canceled) || !errors.Is(err, cause) {
		t.Errorf("after its end: %v", err)
	}
}
