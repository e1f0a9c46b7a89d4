package memrepo_test

import (
	"errors"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

type dated struct {
	ID        string
	Code      string
	CreatedAt time.Time // by GORM's convention
}

func TestNaturalKeyOfTheRepositorysOwn(t *testing.T) {
	t.Parallel()
	r, err := memrepo.New[dated](nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.UpsertBy(t.Context(), []*dated{{ID: "a", Code: "x", CreatedAt: time.Unix(1, 0)}}, repo.MustField[dated, time.Time]("CreatedAt"))
	if !errors.Is(err, repo.ErrInvalid) {
		t.Errorf("by the time of creation: %v", err)
	}
}

func TestMissingKeyHasNoID(t *testing.T) {
	t.Parallel()
	r, err := memrepo.New[dated](nil)
	if err != nil {
		t.Fatal(err)
	}
	err = r.SaveAll(t.Context(), []*dated{{Code: "x"}})
	batch, ok := errors.AsType[*repo.BatchError](err)
	if !ok || batch.Items[0].ID != nil || !errors.Is(err, repo.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}
