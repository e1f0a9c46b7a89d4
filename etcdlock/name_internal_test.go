package etcdlock

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/holdfast-go/holdfast/etcdlock/internal/queue"
	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// A name stands in etcd as it is.
func TestPath(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	for _, opts := range []*Options{nil, {Namespace: "/locks"}, {RawNames: true}} {
		l := lockerOn(t, srv, opts, nil, nil)
		for _, name := range []string{"order", "github.com/acme/shop.Order", "a b", "ä", "100%", "a#1|b", "/lock", "a/", ".session"} {
			want := l.namespace + name + "/"
			k := lockNow(t, l, name)
			keys := srv.Keys()
			unlockNow(t, k)
			n := 0
			for _, key := range keys {
				if queue.InQueue(want, key) {
					n++
				}
			}
			if l.Path(name) != want || n != 1 {
				t.Errorf("the path of %q is %q, want %q, where %d keys are among %q", name, l.Path(name), want, n, keys)
			}
		}
	}
}

// FuzzName checks any two names: a key in the queue of one is not in that of the other, nor
// is the key of a session, and List finds the name in it.
func FuzzName(f *testing.F) {
	spaces := []settings{{namespace: defaultNamespace}, {namespace: "a/"}, {}}
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, s := range spaces {
			sp := queue.NewSpace(queue.Config{Namespace: s.namespace})
			names, err := s.checkNames("testing", []string{a, b})
			if err != nil {
				if !errors.Is(err, ErrInvalid) || !utf8.ValidString(err.Error()) {
					t.Fatalf("%q: %v", []string{a, b}, err)
				}
				continue
			}
			a, b := names[0], names[1]
			for _, key := range []string{sp.Path(a) + "694d9a3f-0", sp.Path(a) + "694d9a3f"} {
				if !queue.InQueue(sp.Path(a), key) || queue.InQueue(sp.Path(b), key) {
					t.Errorf("%q is a key of %q; and of %q: %v", key, a, b, queue.InQueue(sp.Path(b), key))
				}
				if name, ok := sp.NameOf(key); s.namespace != "" && (!ok || name != a) {
					t.Errorf("%q is listed as one of %q, %v", key, name, ok)
				}
			}
			if sentinel := session.Prefix + strings.Trim(b, "/") + "/"; queue.InQueue(sp.Path(a), sentinel) {
				t.Errorf("%q is in the queue of %q", sentinel, a)
			}
		}
	})
}
