package main

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/client/v3/concurrency"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/lockedrepo"
)

// guard has one caller save while it holds a lock that all callers want.
type guard func(ctx context.Context, caller int, save func(db *gorm.DB) error) error

// groupPeer is another way to have one save at a time.
type groupPeer struct {
	name, usage string
	least       float64 // how many times as much ours is wanted to do
	missing     string  // why it is not measured
	// open makes the guard, and what it needs until it is closed.
	open func(ctx context.Context, s servers, db *gorm.DB, callers int) (guard, func(context.Context) error, error)
}

// groupPeerFigures have no series where the peer was missing.
type groupPeerFigures struct {
	groupPeer
	got series
}

func (b *bench) peersOfGroup() []groupPeer {
	all := []groupPeer{
		{name: redsynced + " and GORM", usage: "one Redis server, default delay of 50 to 250 ms between tries", least: 12, open: takersGuard(redsynced)},
		{name: "`pg_advisory_xact_lock`", usage: "in the GORM transaction that saves", least: 12, open: advisoryGuard},
		{name: "`SELECT FOR UPDATE` of a lock row", usage: "in the GORM transaction that saves", least: 13, open: rowGuard},
		{name: mutex + " and GORM", usage: "one client, one session for each caller", least: 40, open: takersGuard(mutex)},
		{name: "a client and a session for every lock, and GORM", usage: mutex + ", connected and closed by each save", least: 50, open: sessionGuard},
	}
	for i := range all {
		switch {
		case groupPostgres().missing():
			all[i].missing = postgresVariable + " was not set"
		case i == 0 && b.Redis == "":
			all[i].missing = redisVariable + " was not set"
		case b.brief && all[i].name != mutex+" and GORM":
			all[i].missing = "-brief leaves it out"
		}
	}
	return all
}

// groupPostgres is the store that other locks, and processes, are measured on.
func groupPostgres() storeKind {
	for _, k := range storeKinds() {
		if k.variable == postgresVariable {
			return k
		}
	}
	return storeKind{}
}

// groupPeers measures the locks of others, ours first.
func (b *bench) groupPeers(ctx context.Context, l *etcdlock.Locker) (all []groupPeerFigures, err error) {
	all = []groupPeerFigures{{groupPeer: groupPeer{name: groupWayName(lockedTogether), usage: "default options"}}}
	for _, p := range b.peersOfGroup() {
		all = append(all, groupPeerFigures{groupPeer: p})
	}
	if groupPostgres().missing() {
		all[0].missing = postgresVariable + " was not set"
		return all, nil
	}
	s, err := groupPostgres().open(ctx, "")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeStore(ctx, s)) }()
	calls, closeAll, err := b.peerCalls(ctx, s, l, all)
	defer func() { err = errors.Join(err, closeAll(ctx)) }()
	if err != nil {
		return nil, err
	}
	for round := range b.rounds {
		b.say("group: round %d of %d, the locks of others", round+1, b.rounds)
		err := each(calls, round, func(i int, call groupCall) error {
			if call == nil {
				return nil
			}
			one, err := sampled(ctx, b.window(groupLongWindow), groupCallers, call)
			all[i].got.add(one)
			if err != nil {
				return fmt.Errorf("%s: %w", all[i].name, err)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// peerCalls are in the order of the peers, nil where one is missing. The function
// returned is never nil.
func (b *bench) peerCalls(ctx context.Context, s *store, l *etcdlock.Locker, all []groupPeerFigures) (calls []groupCall, closeAll func(context.Context) error, err error) {
	var ends []func(context.Context) error
	closeAll = func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
		defer cancel()
		var errs []error
		for _, end := range ends {
			errs = append(errs, end(ctx))
		}
		return errors.Join(errs...)
	}
	if err := groupTables(ctx, s.db); err != nil {
		return nil, closeAll, err
	}
	repos, err := newGroupRepos[article](s.db, l, lockedrepo.Options{Key: uniqueName("articles")})
	if err != nil {
		return nil, closeAll, err
	}
	lists := groupLists[article](load{groupCallers, groupRows}, 0)
	calls = callsOf([]saveFunc[article]{repos.saves()[lockedTogether]}, lists)
	for _, p := range all[1:] {
		if p.missing != "" {
			calls = append(calls, nil)
			continue
		}
		hold, end, err := p.open(ctx, b.servers, repos.quick, groupCallers)
		if err != nil {
			return nil, closeAll, fmt.Errorf("%s: %w", p.name, err)
		}
		ends = append(ends, end)
		calls = append(calls, func(ctx context.Context, caller int) error {
			for _, a := range lists[caller] {
				a.change()
			}
			return hold(ctx, caller, func(db *gorm.DB) error { return gormSave(db, lists[caller]) })
		})
	}
	return calls, closeAll, nil
}

func nothing(context.Context) error { return nil }

// takersGuard holds the lock of a peer around a save.
func takersGuard(name string) func(context.Context, servers, *gorm.DB, int) (guard, func(context.Context) error, error) {
	return func(ctx context.Context, s servers, db *gorm.DB, callers int) (guard, func(context.Context) error, error) {
		p, err := peerNamed(s, name)
		if err != nil {
			return nil, nil, err
		}
		m, err := p.join(ctx, s)
		if err != nil {
			return nil, nil, err
		}
		takers := make([]taker, callers)
		for i := range takers {
			if takers[i], err = m.taker(ctx); err != nil {
				return nil, nil, errors.Join(err, closeMember(ctx, m))
			}
		}
		lock := uniqueName("group")
		return func(ctx context.Context, caller int, save func(*gorm.DB) error) error {
			return within(ctx, takers[caller], lock, func() error { return save(db.WithContext(ctx)) })
		}, m.close, nil
	}
}

// within does something while the lock is held.
func within(ctx context.Context, t taker, lock string, do func() error) error {
	if err := t.lock(ctx, lock); err != nil {
		return err
	}
	return errors.Join(do(), t.unlock(ctx))
}

// sessionGuard connects for every lock.
func sessionGuard(_ context.Context, s servers, db *gorm.DB, _ int) (guard, func(context.Context) error, error) {
	lock := uniqueName("group")
	return func(ctx context.Context, _ int, save func(*gorm.DB) error) error {
		m, err := newEtcdMember(s)
		if err != nil {
			return err
		}
		session, err := concurrency.NewSession(m.cli, concurrency.WithTTL(ttl))
		if err != nil {
			return errors.Join(err, m.close(ctx))
		}
		err = within(ctx, &mutexTaker{session: session}, lock, func() error { return save(db.WithContext(ctx)) })
		return errors.Join(err, session.Close(), m.close(ctx))
	}, nothing, nil
}

// advisoryGuard has the transaction take a lock that ends with it.
func advisoryGuard(_ context.Context, _ servers, db *gorm.DB, _ int) (guard, func(context.Context) error, error) {
	lock := uniqueName("group") // the server has one list of locks for each database
	return func(ctx context.Context, _ int, save func(*gorm.DB) error) error {
		return db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			if err := tx.Exec("SELECT pg_advisory_xact_lock(hashtext(?))", lock).Error; err != nil {
				return err
			}
			return save(tx)
		})
	}, nothing, nil
}

// lockRow is what a transaction locks before it saves.
type lockRow struct {
	Name string `gorm:"primaryKey"`
}

func rowGuard(ctx context.Context, _ servers, db *gorm.DB, _ int) (guard, func(context.Context) error, error) {
	row := lockRow{Name: "articles"}
	if err := errors.Join(db.WithContext(ctx).AutoMigrate(&row), db.WithContext(ctx).Create(&row).Error); err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context, _ int, save func(*gorm.DB) error) error {
		return db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			var held lockRow
			if err := tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Take(&held, "name = ?", row.Name).Error; err != nil {
				return err
			}
			return save(tx)
		})
	}, nothing, nil
}
