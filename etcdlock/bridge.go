package etcdlock

import (
	"context"

	"github.com/holdfast-go/holdfast/internal/fencing"
)

// What package lockedrepo needs and users do not, see package fencing.
var _ = fencing.Provide(fencing.Provider{
	Locker: func(locker any) fencing.Locker { return (*bridgedLocker)(locker.(*Locker)) },
	Lock:   func(lock any) fencing.Lock { return (*bridgedLock)(lock.(*Lock)) },
})

type bridgedLocker Locker

func (l *bridgedLocker) Holding(ctx context.Context, name string) bool {
	t, over := heldIn(ctx, (*Locker)(l)).find(name)
	return t != nil || over != nil
}

func (l *bridgedLocker) HoldsAny(ctx context.Context) bool { return heldIn(ctx, (*Locker)(l)) != nil }

func (l *bridgedLocker) Revision(ctx context.Context) (int64, error) {
	return (*Locker)(l).revision(ctx)
}

type bridgedLock Lock

func (k *bridgedLock) Attempt(ctx context.Context) (fencing.Attempt, error) {
	a, err := (*Lock)(k).attempt(ctx)
	if err != nil {
		return nil, err
	}
	return a, nil
}

func (k *bridgedLock) Retire() {
	for _, p := range k.held.parts {
		p.turn.Retire()
	}
}
