package actor

import "context"

type key struct{}

// With returns a context under which v writes.
func With(ctx context.Context, v any) context.Context { return context.WithValue(ctx, key{}, v) }

// From returns who writes, nil where nobody is named.
func From(ctx context.Context) any { return ctx.Value(key{}) }
