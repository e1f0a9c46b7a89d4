package lockedrepo

import (
	"context"
	"fmt"

	"github.com/holdfast-go/holdfast/repo"
)

// BeforeCommit has fn called in the transaction of ctx, after the function of the
// outermost InTx returned nil and before the commit. Functions are called in the order
// in which they were given; one of them may give more. An error of fn rolls the
// transaction back and is returned by InTx.
//
// ctx must come from InTx of a locked repository, else BeforeCommit returns ErrInvalid,
// as for a nil fn. What a nested InTx gave is forgotten when that one fails, and all is
// forgotten before the function of InTx runs again.
func BeforeCommit(ctx context.Context, fn func(ctx context.Context) error) error {
	s, err := hooked(ctx, "before commit", fn == nil)
	if err == nil {
		s.hooks.add(fn, nil)
	}
	return err
}

// AfterCommit has fn called once if the transaction of ctx commits, and not otherwise:
// not after an error, a panic, a refused claim or a lost lock, and not when it is unknown
// whether the commit happened (repo.ErrUnknown). It is for what must not happen for work
// that is rolled back, such as sending a message.
//
// The functions are called in the order in which they were given, before the outermost
// InTx returns and after it gave its locks back, with a context that has the values of
// InTx's and is never done. A process that ends between the commit and fn never calls
// fn: what must not be lost belongs into a table of the transaction. A panic of fn
// reaches the caller of InTx after the other functions were called.
//
// ctx must come from InTx of a locked repository, else AfterCommit returns ErrInvalid,
// as for a nil fn. The rules of [BeforeCommit] for nested calls and reruns hold.
func AfterCommit(ctx context.Context, fn func(ctx context.Context)) error {
	s, err := hooked(ctx, "after commit", fn == nil)
	if err == nil {
		s.hooks.add(nil, fn)
	}
	return err
}

func hooked(ctx context.Context, doing string, missing bool) (*scope, error) {
	s, ok := ctx.Value(scopeKey{}).(*scope)
	switch {
	case missing:
		return nil, fmt.Errorf("lockedrepo: %s: %w: nil function", doing, repo.ErrInvalid)
	case !ok:
		return nil, fmt.Errorf("lockedrepo: %s: %w: the context has no transaction of a locked repository", doing, repo.ErrInvalid)
	case s.ended.Err() != nil:
		return nil, fmt.Errorf("lockedrepo: %s: %w", doing, errEnded)
	}
	return s, nil
}
