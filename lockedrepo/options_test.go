package lockedrepo_test

import (
	"errors"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock/locktest"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

type box[T any] struct {
	ID int
	V  T
}

func TestKeyOf(t *testing.T) {
	t.Parallel()
	type local struct{ ID int }
	const pkg = "github.com/holdfast-go/holdfast/lockedrepo_test"
	for name, c := range map[string]struct {
		key  func() (string, error)
		want string
	}{
		"Named":          {lockedrepo.KeyOf[order], pkg + ".order"},
		"Generic":        {lockedrepo.KeyOf[box[order]], pkg + ".box[" + pkg + ".order]"},
		"Pointer":        {lockedrepo.KeyOf[*order], ""},
		"Unnamed":        {lockedrepo.KeyOf[struct{ ID int }], ""},
		"Local":          {lockedrepo.KeyOf[local], ""},
		"GenericOfLocal": {lockedrepo.KeyOf[box[local]], ""},
		"Builtin":        {lockedrepo.KeyOf[int], ""},
	} {
		got, err := c.key()
		if got != c.want || (err != nil) != (c.want == "") || err != nil && !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, c.want)
		}
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	type local struct{ ID string }
	locker := locktest.NewLocal(t, nil)
	mem, err := memrepo.New[order](nil)
	if err != nil {
		t.Fatal(err)
	}
	locals, err := memrepo.New[local](nil)
	if err != nil {
		t.Fatal(err)
	}
	var none repo.Repository[order]
	_, noRepo := lockedrepo.New(none, locker, nil)
	_, noLocker := lockedrepo.New[order](mem, nil, nil)
	_, negative := lockedrepo.New[order](mem, locker, &lockedrepo.Options{LockTimeout: -time.Second})
	_, noKey := lockedrepo.New[local](locals, locker, nil)
	_, badKey := lockedrepo.New[order](mem, locker, &lockedrepo.Options{Key: "\xff"})
	for name, err := range map[string]error{"NoRepository": noRepo, "NoLocker": noLocker, "NegativeTimeout": negative, "LocalType": noKey, "BadKey": badKey} {
		if !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if r, err := lockedrepo.New[local](locals, locker, &lockedrepo.Options{Key: "k"}); err != nil || r.Key() != "k" {
		t.Errorf("a key makes up for the name: got %v", err)
	}
	if r, err := lockedrepo.New[order](mem, locker, nil); err != nil || r.Key() != "github.com/holdfast-go/holdfast/lockedrepo_test.order" {
		t.Errorf("got %v", err)
	}
}
