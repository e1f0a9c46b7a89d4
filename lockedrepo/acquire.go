package lockedrepo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
)

// How long a call waits for its lock to be given back, for the name of a holder
// to put into an error, and for etcd's revision when the store has refused a
// claim. The lock is released in any case.
const (
	releaseTimeout  = 5 * time.Second
	holderTimeout   = 500 * time.Millisecond
	revisionTimeout = 2 * time.Second
)

// ErrRelease marks the error of a write that was done, but whose lock was not
// given back as it should. The error matches etcdlock.ErrLost too when the lock
// had been lost, so that another holder may have written at the same time, and
// etcdlock.ErrUnavailable when etcd does not answer; the release then goes on
// in the background. Calls that were saved together are answered before the lock is
// given back, unless Options.Also has locks, so they learn only of a loss that was
// noticed until then. The entities that a method returns with it are valid.
var ErrRelease = errors.New("lockedrepo: the write was done, giving back its lock failed")

// acquire takes the locks within their timeout. The error of a wait that took
// too long names the holder, but for a caller whose time was over before: no holder
// was in its way.
func acquire(ctx context.Context, doing string, x exclusion) (*hold, error) {
	wait, cancel := context.WithTimeout(ctx, x.timeout)
	defer cancel()
	late := ctx.Err() != nil
	h, err := x.lock(wait)
	if errors.Is(err, etcdlock.ErrTimeout) && !late {
		text, _ := holders(ctx, x)
		return nil, fmt.Errorf("lockedrepo: %s: %w: %s", doing, err, text)
	}
	if err == nil {
		err = x.lockOthers(wait, h)
	}
	if err != nil {
		return nil, fmt.Errorf("lockedrepo: %s: %w", doing, err)
	}
	return h, nil
}

// holders describes who has the locks, for an error text, unless etcd does not tell.
func holders(ctx context.Context, x exclusion) (text string, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), holderTimeout)
	defer cancel()
	var texts []string
	for _, key := range x.keys {
		queue, silent := x.locker.Holders(ctx, key)
		if silent != nil {
			err = silent
		}
		if len(queue) == 0 {
			continue
		}
		text := "held by " + describe(queue[0])
		if len(x.keys) > 1 {
			text = fmt.Sprintf("%q is %s", key, text)
		}
		texts = append(texts, text)
	}
	if len(texts) == 0 {
		return "holder unknown", err
	}
	return strings.Join(texts, "; "), nil
}

// describe names a holder. One of this process may be the caller, who would have
// waited for itself.
func describe(h etcdlock.Holder) string {
	text := h.String()
	if !h.Since.IsZero() {
		text += " since " + h.Since.Format(time.RFC3339)
	}
	if host, err := os.Hostname(); err == nil && h.Host == host && h.PID == os.Getpid() {
		text += ", which is this process: " + waitsForItself
	}
	return text
}

// waitsForItself is what to do for those whose own call is in their way.
const waitsForItself = "the caller itself may hold it; a function given to Update must not use the database, " +
	"use InTx and the context that it gives"

// underHold runs work for the caller's context and the hold, and says in its
// error which of them ended when one did.
func underHold(caller context.Context, h *hold, work func(context.Context) error) error {
	ctx, cancel := h.bind(caller)
	defer cancel()
	err := work(ctx)
	if err != nil && ctx.Err() != nil {
		// Drivers report a bare "context canceled"; the cause says why.
		if cause := context.Cause(ctx); !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
	}
	return err
}

// join puts the error of a release next to the one of a write.
func join(err, unlock error) error {
	switch {
	case unlock == nil:
		return err
	case err == nil:
		return fmt.Errorf("%w: %w", ErrRelease, unlock)
	default:
		return errors.Join(err, unlock)
	}
}

// joinRead puts the error of a release next to the one of a read, which has
// done nothing and cannot be relied on when its hold had ended.
func joinRead(err, unlock error) error {
	if err == nil && unlock != nil {
		return fmt.Errorf("lockedrepo: the hold ended while reading under it: %w", unlock)
	}
	return errors.Join(err, unlock)
}
