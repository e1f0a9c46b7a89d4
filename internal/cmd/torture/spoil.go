package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
)

// spoil is how an operation fails by itself. Others that wait for the lock with it are
// saved by the same transaction, and must not suffer.
type spoil string

const (
	byError      spoil = "error"      // its function returns one
	byPanic      spoil = "panic"      // its function panics
	byConstraint spoil = "constraint" // the database refuses its row
)

// constraint is the name of the one in Record.
const constraint = "torture_n"

// errSpoiled is what such an operation fails with, unless the database says why.
var errSpoiled = errors.New("torture: spoiled")

// drawSpoil picks one that the store knows.
func (p place) drawSpoil(rng *rand.Rand) spoil {
	if p.Store == onMongoDB {
		return []spoil{byError, byPanic}[rng.IntN(2)]
	}
	return []spoil{byError, byPanic, byConstraint}[rng.IntN(3)]
}

// do fails after the record was changed.
func (s spoil) do(r *Record) error {
	switch s {
	case byError:
		return errSpoiled
	case byPanic:
		panic(errSpoiled)
	case byConstraint:
		r.N = 1 << 62 // see Record
	}
	return nil
}

// errLeaked is what an operation fails with that got the failure of another one. Nothing
// explains it.
var errLeaked = errors.New("torture: the failure of another operation")

// attempt makes a change, and an error of the panic of one that is spoiled. What the
// database says of a row that it must refuse is marked.
func (w *worker) attempt(ctx context.Context, s spoil, c change) (written bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			if e, ok := p.(error); !ok || !errors.Is(e, errSpoiled) {
				panic(p)
			}
			written, err = false, errSpoiled
		}
		if s == "" && (errors.Is(err, errSpoiled) || err != nil && strings.Contains(err.Error(), constraint)) {
			err = fmt.Errorf("%w: %s", errLeaked, err.Error()) // without what would explain it
		}
		if s == byConstraint && err != nil && strings.Contains(err.Error(), constraint) {
			err = fmt.Errorf("%w: %w", errSpoiled, err)
		}
	}()
	return w.current().do(ctx, c)
}
