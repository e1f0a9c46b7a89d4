package entity_test

import (
	"slices"
	"testing"

	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

func TestLastOfEach(t *testing.T) {
	t.Parallel()
	got := entity.LastOfEach([]string{"a", "b", "a", "c", "b"}, func(s string) any { return s })
	if want := []int{2, 3, 4}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := entity.LastOfEach(nil, func(string) any { return nil }); len(got) != 0 {
		t.Errorf("of no elements: %v", got)
	}
}

func TestShownID(t *testing.T) {
	t.Parallel()
	if got := entity.ShownID([]any{7}, false); got != 7 {
		t.Errorf("a key: %v", got)
	}
	if got := entity.ShownID([]any{0}, true); got != nil {
		t.Errorf("no key yet: %v", got)
	}
	if got, ok := entity.ShownID([]any{0, "x"}, true).([]any); !ok || len(got) != 2 {
		t.Errorf("a composite key: %v", got)
	}
}
