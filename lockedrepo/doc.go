// Package lockedrepo keeps the writes of several processes to one kind of
// entity apart. A service that runs as several pods reads, changes and saves;
// two pods that do so at the same time lose one of the changes, and a mutex
// inside each of them does not help. A locked repository holds an etcd lock
// named after the entity type around every write.
//
//	orders, err := gormrepo.New[Order](db, nil)       // what a service has
//	if err != nil {
//		return err
//	}
//	if err := gormrepo.MigrateFence(ctx, db); err != nil { // once, see below
//		return err
//	}
//	locker, err := etcdlock.New(client, nil)          // one per process
//	if err != nil {
//		return err
//	}
//	locked, err := lockedrepo.New(orders, locker, nil) // the same interface
//	if err != nil {
//		return err
//	}
//	_, err = locked.Update(ctx, id, func(o *Order) error {
//		o.Total += 5
//		return nil
//	})
//
// # What is locked
//
// Every write: Save, SaveAll, SaveChunks, SmartSave, SaveDocuments, Update, Delete,
// DeleteByID, DeleteAllByID, Insert, InsertIfAbsent, UpsertBy, UpdateWhere,
// DeleteWhere, Restore and InTx. Reads pass through without the lock,
// except under a context that holds it already, and in InTx; see below. A
// write checks entities, documents, conditions and assignments first, takes the lock,
// works, and gives the lock back when the work is done or has failed, also when it
// panics. A list without elements takes no lock. Ids, and what only the store knows
// of a field, are checked by the wrapped repository, which has the lock by then.
//
// A lock inside Save cannot protect a read that was made before it: FindByID,
// a change and Save through a locked repository still lose what another
// process saved in between. Use Update, or hold the lock around all three:
//
//	err = locker.Do(ctx, locked.Key(), func(ctx context.Context) error {
//		o, err := locked.FindByID(ctx, id)
//		if err != nil {
//			return err
//		}
//		o.Total += 5
//		return locked.Save(ctx, o)
//	})
//
// A context that holds the key already, as inside Do, is not locked again.
//
// # The fence
//
// A lock on a lease cannot stop a process that is paused for longer than the
// lease lives and then goes on writing. The store can. Every transaction under
// the lock shows it a claim before it reads or writes anything, and the store
// refuses a claim that is older than the newest it has seen. So a holder that
// is late gets repo.ErrFenced, and no update that was acknowledged is lost. This
// covers reads made under a context that holds the key: what a stale holder has
// read it cannot save any more. One transaction at a time is open under a hold;
// goroutines that share its context wait for one another's transactions, which
// does not keep a read of one and its later save together: use Update.
//
// On SQL the claims are in tables that gormrepo.MigrateFence makes, on MongoDB
// in the documents. New refuses a repository that checks no claims, unless
// Options.Unfenced says that this is meant. When etcd has been restored from a
// backup and is behind what the store has seen, writes fail with
// repo.ErrRegressed until an operator has looked.
//
// # The key
//
// It is the full name of the entity type unless Options.Key says otherwise.
// Its first limit: renaming or moving the type, or a new major version of its
// module, changes the key, and during a rollout old and new pods then hold
// different locks. Set Options.Key in production. In a Java fleet it is the
// name of the Java class, and the Locker uses no namespace.
//
// # Renaming the key
//
// Options.FormerKey holds both keys while some pods know one of them only:
//
//  1. All pods have Key: "old".
//  2. Roll out Key: "new", FormerKey: "old". Wait until every pod has it, then call
//     MoveGuard of gormrepo or mongorepo once: the store remembers which key
//     guards the entities, and "new" does from now on.
//  3. Roll out Key: "new" alone.
//
// Pods of neighbouring stages exclude one another. What comes out of order is
// refused with repo.ErrWrongKey, and nothing is written: a pod of the third stage
// before MoveGuard, and one of the first stage after it. To go back, do the stages
// in reverse, with MoveGuard from "new" to "old". In the second stage
// code that locks the key by hand has to lock all [Repository.Keys] by one call: a
// call under a hold of only one of them is repo.ErrInvalid, because a pod of the
// other stage could write in between.
//
// # From another lock to this one
//
// Options.Also has locks that pods without etcd take, such as one on Redis, and every hold
// takes them as well:
//
//  1. All pods have the old lock alone.
//  2. Roll out locked repositories with Options.Also. Wait until every pod has it.
//  3. Roll out the same without Options.Also.
//
// Pods of neighbouring stages exclude one another. Nothing refuses a pod of the first stage
// next to one of the third: they do not know of each other. To go back, do the stages in reverse.
// Pods of the first stage show no claims, so the store cannot refuse one of them that was paused
// for longer than its old lock lives.
//
// The old locks are taken after that of etcd, sorted by name, and given back before it. The pods
// of the second stage therefore never compete for them, unless the type has stripes: these share
// the old lock, which has one name for the type. Types can share an old lock as well: name all of
// them in one InTx, or two transactions can wait for one another until LockTimeout. An old lock that is lost ends the work like a
// lost hold, with etcdlock.ErrLost, and a transaction is rolled back. One that cannot be had
// within LockTimeout is etcdlock.ErrTimeout, and a server that does not answer is
// etcdlock.ErrUnavailable: nothing was written.
//
// In the second stage code that locks by hand calls [Repository.Do], which takes all locks. A
// write under a hold of etcd's key alone takes the old locks for itself. A read there is
// repo.ErrInvalid, because a pod of the first stage could change what was read before it is saved.
//
// # Stripes
//
// One lock for a type is one writer at a time. Options.Stripes divides it: [ByID] gives
// each id one of n locks, [ByFunc] each tenant, region or path. A call takes the stripes of
// its entities by one call of Lock, and entities of different stripes are saved at the
// same time. New entities, whose key the store makes, can go into any stripe.
//
// InTx takes all stripes, or those of the ids that [Repository.For] is given; stripes of
// other ids are taken at their first use. A read in a transaction or under a hold that can
// return more than what is locked, as Find does, is [ErrStripes]. To lock by hand, lock
// [Repository.KeysOf] by one call.
//
// The store remembers the set of stripes as the key that guards the entities. Pods with
// another number of stripes, or with one lock, are refused with repo.ErrWrongKey. To go
// from one lock to stripes while pods run, and back, follow the stages of a new key with
// the key as its own former one:
//
//  1. All pods have Key: "order".
//  2. Roll out Key: "order", Stripes: ByID(16), FormerKey: "order", then call MoveGuard
//     from "order" to "order%16".
//  3. Roll out Key: "order", Stripes: ByID(16).
//
// # Waiting
//
// A write waits for its lock no longer than Options.LockTimeout and its
// context. An error that matches etcdlock.ErrTimeout names the holder; one that
// matches etcdlock.ErrUnavailable says that etcd could not be reached. In both
// cases nothing was written: a write never goes on without the lock. (Unless
// the error matches ErrRelease, see below.) The wait for a connection of the pool
// has the same bound, and ends with repo.ErrBusy on stores that know
// driver.WithConnWait.
//
// A call can wait for itself. The function given to Update runs inside of the lock
// and inside of a transaction, and has no context to join them by: a call of the
// same type waits for the lock, one of another type for the connection where the
// pool has only one, and on SQLite for the transaction. All of these end within
// LockTimeout or the database's own limit. Use InTx and its context to write more
// than one entity.
//
// # Group commit
//
// Calls of Save, SaveAll and Update that wait for the lock in this process when it
// comes are written by one transaction: one claim, one commit. Nothing waits for
// company, and a call that finds nobody before it goes by itself. Many callers that save
// single entities of one type are faster with the lock than without it.
//
// Each call gets its own answer. One that fails, for a constraint, a hook, a panic or its
// own function, fails alone. The function given to Update, and the hooks of an entity,
// run with the values of their own caller's context; the statement itself has none of
// them. A caller whose context ends before its call is sent leaves. One whose write is
// on the way gets the answer of the database, even if that comes later.
//
// Calls in a transaction, or under a hold of their caller, go by themselves. So do lists of
// more than 500 entities, lists of several stripes, and Update on MongoDB. All calls do where
// GORM has callbacks that are not its own when New is called, where associations are saved,
// on MongoDB where entities have a version, an actor or keys of Options.NewID, in memrepo with
// keys of NewID, and with [Options].Separate. And so do those of a
// repository of your own that is wrapped around that of the store: what its Save and
// Update do in addition is never left out. [Repository.Grouping] says which of it holds.
//
// # Losing the lock, and giving it back
//
// The work runs with a context that ends when the lock is lost, and its error
// then matches etcdlock.ErrLost. The lock is given back under a context of its
// own, for five seconds at most; after that it goes on in the background. When
// only that fails, or a loss is noticed only then, the error matches ErrRelease:
// the write was done. Calls that were saved together do not wait for that, and learn of a
// loss that was noticed before; those of a type with Options.Also do wait.
//
// # Transactions
//
// The function [InTx] takes the locks of all types that it is given up front and
// in sorted order, and opens one transaction:
//
//	err := lockedrepo.InTx(ctx, func(ctx context.Context) error {
//		_, err := products.Update(ctx, id, func(p *Product) error { return p.Take(2) })
//		if err != nil {
//			return err
//		}
//		return orders.Save(ctx, order)
//	}, orders, products)
//
// The method InTx does so for one type. In both, every locked repository on the
// same database joins the transaction by the context, and takes the lock of its
// own key at its first use if the transaction has not got it. All locks are kept
// until the commit. Name all types where they are known. Where they are taken at
// their first use, two transactions can wait for one another: for their locks,
// which ends in etcdlock.ErrOrder, or one for the other's lock and this one for a
// row, the only connection, or the only writer of SQLite, which only the limits of
// the database and LockTimeout end.
//
// A read in InTx takes the lock of its type like a write, because a write may be
// built on it. Where none is, as in the check that a customer exists, say so with
// [ReadUnlocked]: it takes no lock. The plain repository, which joins by the
// context too, does the same for code that has no locked one. A foreign key of the
// database keeps such a check true until the commit.
//
// A nested InTx joins, and only the outermost commits. When a nested one fails,
// for its function's error, a lock that it did not get or one that was lost, the
// outermost ends with repo.ErrRolledBack, also when its function handled that
// error. [repo.WithSavepoint] around the context of the nested call rolls back only
// what that wrote.
//
// A write inside a transaction that no locked
// repository opened is refused with repo.ErrInTx, because its lock would be
// given back before that transaction commits: when the *gorm.DB of the
// repository is a transaction, when the context carries a MongoDB session, or
// a transaction of another database. A transaction that cannot be seen from the
// context is not noticed.
//
// # What it does not promise
//
// Writers that do not go through a locked repository with the same key are
// neither kept out nor refused. Where the store fences documents one by one, as
// MongoDB does outside of transactions, what Find returns may be stale by the
// time it is saved. What a callback does elsewhere, such as sending a mail, is
// not undone when its transaction is refused.
package lockedrepo
