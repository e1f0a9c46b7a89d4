package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/holdfast-go/holdfast/repo"
)

// spoil is how an operation fails by itself. Others that wait for the lock with it are
// saved by the same transaction, and must not suffer.
type spoil string

const (
	byError      spoil = "error"      // its function returns one
	byPanic      spoil = "panic"      // its function panics
	byConstraint spoil = "constraint" // the database refuses its row
	byUnique     spoil = "unique"     // it has what another row has
	byLeaving    spoil = "leaving"    // its caller leaves
)

// constraint begins the names of those in Record and Entry, and tooMuch is what they refuse.
const (
	constraint       = "torture_n"
	tooMuch    int64 = 1 << 62
)

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
		r.N = tooMuch
	case byUnique, byLeaving: // fail elsewhere
	}
	return nil
}

// errLeaked is what an operation fails with that got the failure of another one. Nothing
// explains it.
var errLeaked = errors.New("torture: the failure of another operation")

// attempt does an operation, and makes an error of the panic of one that is spoiled. What
// the database says of a row that it must refuse is marked.
func (s spoil) attempt(do func() (bool, error)) (written bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			if e, ok := p.(error); !ok || !errors.Is(e, errSpoiled) {
				panic(p)
			}
			written, err = false, errSpoiled
		}
		own, blamed := s != "" && s != byLeaving, blamesRow(err)
		if !own && (errors.Is(err, errSpoiled) || blamed) {
			err = fmt.Errorf("%w: %s", errLeaked, err.Error()) // without what would explain it
		}
		if (s == byConstraint || s == byUnique) && blamed {
			err = fmt.Errorf("%w: %w", errSpoiled, err)
		}
	}()
	return do()
}

// blamesRow reports whether the database has refused a row.
func blamesRow(err error) bool {
	return err != nil && (errors.Is(err, repo.ErrDuplicateKey) || strings.Contains(err.Error(), constraint))
}
