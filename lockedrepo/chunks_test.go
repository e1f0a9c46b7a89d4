package lockedrepo_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

// Another process that waits for the lock gets it between two chunks.
func TestChunks_LetOthersIn(t *testing.T) {
	t.Parallel()
	var dto repo.SmartSaveDTO
	var es []*order
	for i := range 6 {
		dto.EntityList = append(dto.EntityList, fmt.Sprintf(`{"id":"%d","total":1}`, i))
		es = append(es, &order{ID: fmt.Sprint(i), Total: 1})
	}
	for name, save := range map[string]func(ctx context.Context, r *lockedrepo.Repository[order]) error{
		"SmartSave": func(ctx context.Context, r *lockedrepo.Repository[order]) error {
			_, err := r.SmartSave(ctx, dto, repo.Chunks(2))
			return err
		},
		"SaveChunks": func(ctx context.Context, r *lockedrepo.Repository[order]) error { return r.SaveChunks(ctx, es, 2) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			var first sync.Once
			got := make(chan int64, 1)
			b := setup(t, func(b *bundle, _ context.Context, _ string) error {
				first.Do(func() { // the first chunk waits until the other process stands behind it
					go func() {
						if err := b.other.Do(ctx, key, func(ctx context.Context) error {
							n, err := b.inner.Count(ctx)
							got <- n
							return err
						}); err != nil {
							t.Error(err)
						}
					}()
					awaitQueueOf(t, b.other, key, 2)
				})
				return nil
			})
			if err := save(ctx, b.repo); err != nil {
				t.Fatal(err)
			}
			if n := <-got; n != 2 {
				t.Errorf("the other process came in after %d of 6", n)
			}
		})
	}
}

// Under a hold nobody gets in between chunks.
func TestChunks_UnderAHold(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	calls := map[string]func(ctx context.Context) error{
		"SaveChunks": func(ctx context.Context) error { return b.repo.SaveChunks(ctx, []*order{{ID: "1"}}, 1) },
		"SmartSave": func(ctx context.Context) error {
			_, err := b.repo.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{`{"id":"1"}`}}, repo.Chunks(1))
			return err
		},
	}
	for name, call := range calls {
		if err := b.locker.Do(t.Context(), key, call); !errors.Is(err, repo.ErrInvalid) || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n, err := b.repo.Count(t.Context()); n != 0 || err != nil {
		t.Errorf("%d were saved, %v", n, err)
	}
}

// lossy loses the lock after the first list was saved.
type lossy struct {
	*memrepo.Repository[order]
	saves int
	lose  func(ctx context.Context) error
}

func (l *lossy) SaveAll(ctx context.Context, es []*order) error {
	err := l.Repository.SaveAll(ctx, es)
	if l.saves++; err == nil && l.saves == 1 {
		err = l.lose(ctx)
	}
	return err
}

// A lock that is lost after a chunk was written does not end the call, and is told at its
// end: that error says that the write was done.
func TestChunks_Release(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	inner := &lossy{Repository: b.inner.Repository, lose: func(ctx context.Context) error {
		err := b.cluster.Expire(context.WithoutCancel(ctx), b.locker, key)
		<-ctx.Done()
		return err
	}}
	r, err := lockedrepo.New[order](inner, b.locker, &lockedrepo.Options{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	err = r.SaveChunks(t.Context(), []*order{{ID: "1"}, {ID: "2"}, {ID: "3"}}, 1)
	n, _ := r.Count(t.Context())
	if _, part := errors.AsType[*repo.ChunkError](err); !errors.Is(err, lockedrepo.ErrRelease) || part || n != 3 {
		t.Errorf("%d are saved, got %v", n, err)
	}
}
