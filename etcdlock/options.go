package etcdlock

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// NoNamespace as Options.Namespace is Options.RawNames by its former name.
//
// Deprecated: set Options.RawNames.
const NoNamespace = "-"

// NoLinger as Options.Linger makes a hold that no goroutine wants any more
// leave at once.
const NoLinger time.Duration = -1

const (
	defaultLinger         = 50 * time.Millisecond
	defaultMaxTurns       = 32
	defaultMaxHold        = 10 * time.Millisecond
	defaultNamespace      = "holdfast/"
	defaultTTL            = 10 * time.Second
	defaultRequestTimeout = 3 * time.Second
	// Longer than most transactions: those who wait for one another by way of a
	// slow one need not fail.
	defaultDeadlockTimeout = time.Second
	// minTTL is what an etcd server grants at least with its default election
	// timeout; asking for less would only hide the real figure.
	minTTL = 2 * time.Second
	maxTTL = time.Duration(math.MaxInt32) * time.Second
	// maxData bounds Options.Data: it is in the value of every key, and in every Holder.
	maxData = 1024
)

// Options configure a Locker. The zero value, like a nil pointer, means the
// defaults. A Locker copies what it needs and never writes to its Options.
type Options struct {
	// Namespace is what the keys of this Locker begin with; a missing slash at its end is
	// added. Default: "holdfast/". Names follow it as they are, see [Locker.Path]: who locks
	// namespace and name together, as a name of its own or by another library, excludes this
	// Locker. White space is allowed only within a part between slashes, control characters
	// nowhere.
	Namespace string
	// RawNames makes names whole paths, without a namespace, as concurrency.Mutex, etcdctl
	// lock and the v3lock service (jetcd) use them: "/locks/orders", say. List is not
	// supported then. Default: false.
	RawNames bool
	// TTL is how long the locks of a process that has died stay taken, and how
	// long one that lost etcd may go on working. Whole seconds, at least 2 s.
	// The server may raise it to its own minimum. Default: 10 s.
	TTL time.Duration
	// Linger is how long a name stays held after its last user in this process
	// has given it back; locking it again meanwhile asks etcd nothing. It is
	// given up at once when another process queues. Should this process die
	// meanwhile, the others wait for TTL. Default: 50 ms. NoLinger turns it off.
	Linger time.Duration
	// MaxTurns is how many goroutines of this process may have their turn, one
	// after the other, once another process is known to wait. 1 lets that one in
	// after the running turn. A negative number turns passing on off: no hold is handed
	// on and none lingers, so each Lock goes through the queue in etcd and has a token of
	// its own. Default: 32.
	MaxTurns int
	// MaxHold is for how long they may. It ends no turn, it only lets no other
	// begin. Default: 10 ms.
	MaxHold time.Duration
	// Service is written into the owner data of every lock, next to host and
	// process id, so that Holders and List tell who it is. Default: empty.
	Service string
	// Data is written there too, for readers of Holder.Data: a version, a job, an
	// address. At most 1024 bytes. Everybody who may read etcd can read it. Default: empty.
	Data string
	// RequestTimeout bounds a single request to etcd. It bounds TryLock,
	// Holders and List as a whole; Lock and Unlock send their requests again
	// until their context ends. Default: 3 s.
	RequestTimeout time.Duration
	// DeadlockTimeout is how long a Lock waits for a name that sorts before one that
	// its context holds while a deadlock is possible, that is, while the same other
	// waits for the held name and the wanted one does not change hands. It then
	// fails with an OrderError. Waits in sorted order, and waits while nobody wants
	// what the context holds, are not bounded by it. Default: 1 s.
	DeadlockTimeout time.Duration
	// Hooks are told what happens. Default: none.
	Hooks *Hooks
}

// settings are checked Options with the defaults filled in.
type settings struct {
	namespace       string // "" with RawNames
	ttl             time.Duration
	linger          time.Duration // 0 means not at all
	maxTurns        int
	maxHold         time.Duration
	service         string
	data            string
	requestTimeout  time.Duration
	deadlockTimeout time.Duration
	hooks           Hooks
}

// blankPart reports whether a part of the namespace, between two slashes, is
// empty or has white space around it. A slash at either end is not between two.
func blankPart(namespace string) bool {
	parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(namespace, "/"), "/"), "/")
	return slices.ContainsFunc(parts, func(p string) bool { return p == "" || strings.TrimSpace(p) != p })
}

func (o *Options) settings() (settings, error) {
	const doing = "new locker"
	if o == nil {
		o = &Options{}
	}
	s := settings{
		namespace:       o.Namespace,
		ttl:             o.TTL,
		linger:          cmp.Or(o.Linger, defaultLinger),
		maxTurns:        cmp.Or(o.MaxTurns, defaultMaxTurns),
		maxHold:         cmp.Or(o.MaxHold, defaultMaxHold),
		service:         o.Service,
		data:            o.Data,
		requestTimeout:  cmp.Or(o.RequestTimeout, defaultRequestTimeout),
		deadlockTimeout: cmp.Or(o.DeadlockTimeout, defaultDeadlockTimeout),
	}
	if o.Hooks != nil {
		s.hooks = *o.Hooks
	}
	switch {
	case s.namespace == NoNamespace:
		s.namespace = ""
	case o.RawNames && s.namespace != "":
		return s, invalid(doing, "Options.Namespace is %q, and Options.RawNames wants none", o.Namespace)
	case o.RawNames:
	case s.namespace == "":
		s.namespace = defaultNamespace
	case !utf8.ValidString(s.namespace):
		return s, invalid(doing, "Options.Namespace is not valid UTF-8")
	case strings.Trim(s.namespace, "/") == "" || strings.TrimSpace(s.namespace) == "":
		return s, invalid(doing, "Options.Namespace %q names nothing", o.Namespace)
	case strings.ContainsFunc(s.namespace, unicode.IsControl):
		return s, invalid(doing, "Options.Namespace %q holds a control character", o.Namespace)
	case blankPart(s.namespace):
		return s, invalid(doing, "Options.Namespace %q has an empty part, or a space at the begin or end of one", o.Namespace)
	default:
		s.namespace = strings.TrimSuffix(s.namespace, "/") + "/"
	}
	if strings.HasPrefix(s.namespace, session.Prefix) {
		return s, invalid(doing, "Options.Namespace %q is where sessions live", o.Namespace)
	}
	if s.ttl == 0 {
		s.ttl = defaultTTL
	}
	if s.ttl < minTTL || s.ttl > maxTTL || s.ttl%time.Second != 0 {
		return s, invalid(doing, "Options.TTL is %v, want whole seconds from %v on", s.ttl, minTTL)
	}
	if s.linger == NoLinger || s.maxTurns < 0 && s.linger > 0 {
		s.linger = 0
	}
	switch {
	case s.linger < 0:
		return s, invalid(doing, "Options.Linger is %v, want a positive duration or NoLinger", s.linger)
	case s.maxHold < 0:
		return s, invalid(doing, "Options.MaxHold is %v, want a positive duration", s.maxHold)
	}
	if !utf8.ValidString(s.service) {
		return s, invalid(doing, "Options.Service is not valid UTF-8")
	}
	if !utf8.ValidString(s.data) || len(s.data) > maxData {
		return s, invalid(doing, "Options.Data is not valid UTF-8, or has more than %d bytes", maxData)
	}
	if s.requestTimeout < 0 {
		return s, invalid(doing, "Options.RequestTimeout is %v, want a positive duration", s.requestTimeout)
	}
	if s.deadlockTimeout < 0 {
		return s, invalid(doing, "Options.DeadlockTimeout is %v, want a positive duration", s.deadlockTimeout)
	}
	return s, nil
}
