package lockedrepo_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// Every error of this package says what was being done, once, and then why it
// failed.
func TestErrorsSayWhatWasBeingDone(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	ctx := t.Context()
	_, nilUpdate := b.repo.Update(ctx, "1", nil)
	_, nilDocs := b.repo.SaveDocuments(ctx, nil)
	_, noDocs := b.repo.SaveDocuments(ctx, &driver.Documents[order]{})
	_, empty := b.repo.SmartSave(ctx, repo.SmartSaveDTO{})
	_, badDoc := b.repo.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{"x"}})
	_, badOption := lockedrepo.New[order](b.inner, b.locker, &lockedrepo.Options{LockTimeout: -1})
	_, badKey := lockedrepo.New[order](b.inner, b.locker, &lockedrepo.Options{Key: "\xff"})
	_, noFence := lockedrepo.New[order](hidden{b.inner}, b.locker, nil)
	_, noLocker := lockedrepo.New[order](b.inner, nil, nil)
	_, noKey := lockedrepo.KeyOf[*order]()
	foreign := driver.WithTx(ctx, driver.Tx{Store: "another"})
	gone, cancel := context.WithCancel(ctx)
	cancel()
	for prefix, err := range map[string]error{
		"lockedrepo: save: repo: ":                        b.repo.Save(ctx, nil),
		"lockedrepo: save all: repo: ":                    b.repo.SaveAll(ctx, []*order{nil}),
		"lockedrepo: delete: repo: ":                      b.repo.Delete(ctx, nil),
		"lockedrepo: update: repo: ":                      nilUpdate,
		"lockedrepo: save documents: repo: ":              nilDocs,
		"lockedrepo: save documents: repo: invalid: the ": noDocs,
		"lockedrepo: smart save: repo: invalid: the ":     empty,
		"lockedrepo: smart save: repo: 1 ":                badDoc,
		"lockedrepo: transaction: repo: ":                 b.repo.InTx(ctx, nil),
		"lockedrepo: new: repo: ":                         badOption,
		"lockedrepo: new: repo: invalid":                  badKey,
		"lockedrepo: new: repo: unsupported":              noFence,
		"lockedrepo: new: repo: i":                        noLocker,
		"lockedrepo: key: repo: ":                         noKey,
		"lockedrepo: delete by id: repo: ":                b.repo.DeleteByID(foreign, "1"),
		"lockedrepo: delete by id: etcdlock: ":            b.repo.DeleteByID(gone, "1"),
	} {
		if err == nil {
			t.Errorf("%q: no error", prefix)
			continue
		}
		wantPrefix(t, prefix, err, prefix)
		if strings.Count(err.Error(), "lockedrepo: ") != 1 {
			t.Errorf("%q: the package is named more than once: %v", prefix, err)
		}
	}
	var batch *repo.BatchError
	if !errors.As(badDoc, &batch) || !errors.As(b.repo.SaveAll(ctx, []*order{nil}), &batch) {
		t.Error("the list of what is bad was lost")
	}
}

// The store waits for a connection no longer than a call waits for its lock.
func TestWaitForAConnectionIsBounded(t *testing.T) {
	t.Parallel()
	for name, c := range calls {
		if c.call == nil || name == "SaveChunks" { // which is refused under a hold
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var waits []time.Duration
			b := setup(t, func(_ *bundle, ctx context.Context, _ string) error {
				d, _ := driver.ConnWait(ctx)
				waits = append(waits, d)
				return nil
			})
			if err := b.inner.Repository.Save(t.Context(), &order{ID: "1"}); err != nil {
				t.Fatal(err)
			}
			unfenced, err := lockedrepo.New[order](b.inner, b.locker, &lockedrepo.Options{Key: key, LockTimeout: 7 * time.Second, Unfenced: true})
			if err != nil {
				t.Fatal(err)
			}
			ctx := t.Context()
			err = errors.Join(c.call(ctx, b.repo), c.call(ctx, unfenced),
				b.locker.Do(ctx, key, func(ctx context.Context) error { return c.call(ctx, b.repo) }),
				c.call(driver.WithConnWait(ctx, time.Second), b.repo), c.call(driver.WithConnWait(ctx, time.Minute), b.repo))
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range []time.Duration{5 * time.Second, 7 * time.Second, 5 * time.Second, time.Second, 5 * time.Second} {
				if i >= len(waits) || waits[i] != want {
					t.Errorf("the waits are %v; number %d should be %s", waits, i, want)
					break
				}
			}
		})
	}
}

// A call inside of the function of Update waits for the lock, or for the
// transaction, of the call around it. That ends, and the error says what to do.
func TestWaitingForItselfEnds(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	r, err := lockedrepo.New[order](b.inner, b.locker, &lockedrepo.Options{Key: key, LockTimeout: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Save(t.Context(), &order{ID: "1"}); err != nil {
		t.Fatal(err)
	}
	itself := func(ctx context.Context) error {
		_, err := r.Update(ctx, "1", func(*order) error { return r.Save(ctx, &order{ID: "2"}) })
		return err
	}
	for name, err := range map[string]error{
		"Alone":     itself(t.Context()),
		"UnderHold": b.locker.Do(t.Context(), key, itself),
	} {
		if !errors.Is(err, etcdlock.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "use InTx") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
