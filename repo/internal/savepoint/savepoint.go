package savepoint

import "context"

type key struct{}

// Ask returns a context that asks for one.
func Ask(ctx context.Context) context.Context { return context.WithValue(ctx, key{}, true) }

// Take reports whether ctx asks for one, and returns a context that does not.
func Take(ctx context.Context) (context.Context, bool) {
	if asked, _ := ctx.Value(key{}).(bool); !asked {
		return ctx, false
	}
	return context.WithValue(ctx, key{}, false), true
}
