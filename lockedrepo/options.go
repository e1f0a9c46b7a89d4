package lockedrepo

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// DefaultLockTimeout bounds the wait for the lock when Options do not.
const DefaultLockTimeout = 30 * time.Second

// Options change how a repository is locked. The zero value is the default.
type Options struct {
	// Key is the name of the lock. The default is the full name of the entity
	// type, such as "github.com/acme/shop/order.Order". Everyone who saves
	// entities of one kind must use one key, so set it in production: a type
	// that is renamed or moved, or a module's new major version, would
	// otherwise hold another lock than the pods still running; and set it to
	// the Java class name where Java services lock the same entities. A store
	// that enforces the fence keeps it: at most 191 characters, no space at the
	// end, no NUL.
	Key string
	// FormerKey is the key that is being replaced by Key, during a rollout that
	// renames it. Both are locked by one call, and the claims of both are shown, so
	// that pods with either key alone are kept out. The rules for Key hold. The
	// package documentation has the stages. By default there is none.
	FormerKey string
	// Stripes divide the lock, so that different entities are saved at the same time:
	// [ByID] or [ByFunc]. Everyone who saves entities of the kind must divide it alike; a
	// store with a fence refuses others with repo.ErrWrongKey. While pods still have the
	// one lock, FormerKey is Key. The package documentation has the stages. By default
	// the type has one lock.
	Stripes Stripes
	// Also are locks of another system, such as one on Redis, that every hold takes after
	// that of etcd and gives back before it. Pods that have them exclude pods with the
	// old lock alone, and pods with etcd alone, so that a fleet can go from one to the
	// other. The package documentation has the stages. By default there are none.
	Also []Also
	// LockTimeout bounds the wait for the locks of one write, in addition to the
	// context of the call. Zero means DefaultLockTimeout.
	LockTimeout time.Duration
	// Separate saves every call by a transaction of its own. By default the calls of
	// Save, SaveAll and Update that wait for the lock in this process when it comes are
	// saved by one transaction, where the wrapped repository is a driver.GroupSaver. Set it
	// where something below the repository, such as a driver that is told the tenant
	// by a context, needs the context of the caller.
	Separate bool
	// Unfenced shows the store no claims: a holder that was paused for longer
	// than its lease can then overwrite what newer ones saved. It is for stores
	// that enforce no fence, and for databases without its tables.
	Unfenced bool
}

func (o *Options) withDefaults() (Options, error) {
	var opts Options
	if o != nil {
		opts = *o
	}
	if opts.LockTimeout < 0 {
		return opts, fmt.Errorf("%w: lock timeout %s is negative", repo.ErrInvalid, opts.LockTimeout)
	}
	if s := opts.Stripes; s.by != "" && (s.n < MinStripes || s.n > MaxStripes) {
		return opts, fmt.Errorf("%w: %s of %d stripes, allowed are %d to %d", repo.ErrInvalid, s.by, s.n, MinStripes, MaxStripes)
	}
	if opts.LockTimeout == 0 {
		opts.LockTimeout = DefaultLockTimeout
	}
	return opts, nil
}

// guard is the name under which the store registers the entities: the key, or the name of
// the set of its stripes.
func (o *Options) guard() string {
	if o.Stripes.by == "" {
		return o.Key
	}
	return o.Stripes.set(o.Key)
}

// keys are the locks of the key.
func (o *Options) keys() []string {
	if o.Stripes.by == "" {
		return []string{o.Key}
	}
	return lo.Times(o.Stripes.n, func(i int) string { return driver.Stripe(o.guard(), i) })
}

// checkKeys refuses keys that cannot be locked, or kept by a fence.
func (o *Options) checkKeys(locker *etcdlock.Locker) error {
	for option, key := range map[string]string{"Key": o.Key, "FormerKey": o.FormerKey} {
		if option == "FormerKey" && key == "" {
			continue
		}
		if err := locker.CheckName(key); err != nil {
			return fmt.Errorf("%w: lock key: %w; set another Options.%s", repo.ErrInvalid, err, option)
		}
		if driver.IsStripeName(key) {
			return fmt.Errorf("%w: lock key %q is like the name of a set of stripes; set another Options.%s", repo.ErrInvalid, key, option)
		}
		if option == "Key" {
			key = slices.Max(o.keys())
		}
		if !o.Unfenced && !fenceKeeps(key) {
			return fmt.Errorf("%w: lock key %q cannot be kept by a fence: at most %d characters, no space at the end, no NUL; set another Options.%s",
				repo.ErrInvalid, key, maxKey, option)
		}
	}
	if o.FormerKey == o.guard() {
		return fmt.Errorf("%w: Options.FormerKey is %q, as the key itself", repo.ErrInvalid, o.Key)
	}
	return o.checkAlso()
}

// maxKey is the length of a key, in characters, that every fence can keep.
const maxKey = 191

// fenceKeeps tells whether a store can tell the key from others: MySQL's index
// ends after maxKey characters, and it ignores spaces at the end.
func fenceKeeps(key string) bool {
	return utf8.RuneCountInString(key) <= maxKey && !strings.HasSuffix(key, " ") && !strings.ContainsRune(key, 0)
}

// KeyOf returns the default lock key of the entity type T: its package path, a
// dot and its name. A pointer type, a type without a name and a type declared
// inside a function are ErrInvalid: their names say nothing that all processes
// of a fleet would agree on.
func KeyOf[T any]() (string, error) {
	key, err := keyOf[T]()
	if err != nil {
		return "", fmt.Errorf("lockedrepo: key: %w", err)
	}
	return key, nil
}

func keyOf[T any]() (string, error) {
	t := reflect.TypeFor[T]()
	switch {
	case t.Kind() == reflect.Pointer:
		return "", fmt.Errorf("%w: entity type %s is a pointer; name the type it points to", repo.ErrInvalid, t)
	case t.Name() == "" || t.PkgPath() == "":
		return "", fmt.Errorf("%w: entity type %s has no name to lock; set Options.Key", repo.ErrInvalid, t)
	case isLocal[T]():
		return "", fmt.Errorf("%w: entity type %s is declared in a function; set Options.Key", repo.ErrInvalid, t)
	}
	return t.PkgPath() + "." + t.Name(), nil
}

type probe[T any] struct{}

// isLocal tells whether T is declared inside a function. Its own name does not
// show that, but as a type argument it is numbered: probe[pkg.T·1].
func isLocal[T any]() bool {
	return strings.Contains(reflect.TypeFor[probe[T]]().Name(), "·")
}
