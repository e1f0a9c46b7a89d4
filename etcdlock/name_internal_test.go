package etcdlock

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

func TestEscape_KeepsTypeNamesReadable(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"order":                               "order",
		"github.com/acme/shop/order.Order":    "github.com%2Facme%2Fshop%2Forder.Order",
		"com.acme.Order":                      "com.acme.Order",
		"repo.Page[github.com/acme/x.T]":      "repo.Page[github.com%2Facme%2Fx.T]",
		".session":                            "%2Esession",
		"100%":                                "100%25",
		"ä\n":                                 "%C3%A4%0A",
		"Order:7f9c24e5-1f6a-4b8a-9f0c-000f0": "Order:7f9c24e5-1f6a-4b8a-9f0c-000f0",
	} {
		if got := escape(name); got != want {
			t.Errorf("escape(%q) = %q, want %q", name, got, want)
		}
		if got, ok := unescape(want); !ok || got != name {
			t.Errorf("unescape(%q) = %q, %v", want, got, ok)
		}
	}
}

// Whatever escape does not produce is no name, or two spellings would be two
// locks.
func TestUnescape_RefusesOtherSpellings(t *testing.T) {
	t.Parallel()
	for _, segment := range []string{"", "%", "%2", "%2f", "%zz", "%41", "a b", ".x", "ä", "%FF", "a/b"} {
		if name, ok := unescape(segment); ok {
			t.Errorf("unescape(%q) = %q", segment, name)
		}
	}
}

// FuzzName checks any two names: both survive the way into a key and back, and
// the queue of one never contains the queue of the other.
func FuzzName(f *testing.F) {
	spaces := []settings{{namespace: defaultNamespace}, {namespace: "a/"}, {}}
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, s := range spaces {
			names, err := s.checkNames("testing", []string{a, b})
			if err != nil {
				if !errors.Is(err, ErrInvalid) || !utf8.ValidString(err.Error()) {
					t.Fatalf("%q: %v", []string{a, b}, err)
				}
				continue
			}
			a, b := names[0], names[1]
			pa, pb := s.prefix(a), s.prefix(b)
			if strings.HasPrefix(pa, pb) || strings.HasPrefix(pb, pa) {
				t.Errorf("%q and %q have the queues %q and %q", a, b, pa, pb)
			}
			if strings.HasPrefix(pa, session.Prefix) || strings.HasPrefix(session.Prefix, pa) {
				t.Errorf("%q has the queue %q", a, pa)
			}
			if s.namespace == "" {
				continue
			}
			segment := strings.TrimSuffix(strings.TrimPrefix(pa, s.namespace), "/")
			if strings.Contains(segment, "/") {
				t.Errorf("%q has the queue %q", a, pa)
			}
			if back, ok := unescape(segment); !ok || back != a {
				t.Errorf("%q came back from %q as %q, %v", a, segment, back, ok)
			}
		}
		for _, segment := range []string{a, b} {
			if name, ok := unescape(segment); ok && escape(name) != segment {
				t.Errorf("%q reads as %q, which is written %q", segment, name, escape(name))
			}
		}
	})
}
