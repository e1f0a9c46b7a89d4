// Package gormrepo keeps entities in a table, through GORM, on PostgreSQL,
// MySQL, MariaDB and SQLite. GORM's own Save can overwrite a row that it was
// never given, bring back what was deleted and lose an update without an
// error; a repository of this package does none of that, and behaves as the
// ones on MongoDB and in memory do.
//
//	type Order struct {
//		ID      int64
//		Buyer   string
//		Total   int64
//		Version int64 `holdfast:"version"`
//	}
//
//	func place(ctx context.Context, db *gorm.DB) error {
//		orders, err := gormrepo.New[Order](db, nil)
//		if err != nil {
//			return err
//		}
//		return orders.Save(ctx, &Order{Buyer: "ada", Total: 12})
//	}
//
// # The database
//
// Any *gorm.DB with the dialect postgres, mysql or sqlite will do; this package
// imports none of them. drivers.OpenSQL opens one with the right settings. With
// your own, set on SQLite `_txlock=immediate`, a busy timeout and the WAL
// journal, or transactions that read first fail under load; and on MySQL
// parseTime. The tables are yours to create, by AutoMigrate or otherwise. The
// key needs a primary key or a unique index in the table.
//
// # Keys
//
// The key is GORM's primary key, else the BSON _id, else the field ID. A zero
// integer key that is alone asks the database for a number, unless GORM is told
// autoIncrement:false; so does a zero key with a database default, where the
// database can report it (not MySQL). Options.NewID makes keys instead.
// Options.Sequence takes them from a sequence as Hibernate does, so that a Java
// service can write the same table. A zero part of a composite
// key asks for a number where it has the tag autoIncrement, and for its default
// where that is a function. Other zero parts, and a zero assigned integer, are
// values like others.
//
// Give text keys on MySQL a binary collation (utf8mb4_bin). Under the usual
// ones "a" and "A" are one key to the database and two to Go.
//
// # Saving
//
// New entities are inserted by plain INSERTs: a key that exists is
// repo.ErrDuplicateKey. Others are inserted or overwritten with explicit
// columns: every one but the key, the creation times and the deletion mark. The
// columns keep GORM's permissions, serializers and names. Times are those with
// a holdfast or GORM tag and those that GORM fills by the names CreatedAt and
// UpdatedAt.
//
// Columns of PostgreSQL that are a timestamp without a zone keep UTC, whatever zone a
// time has that is saved or compared; a field whose column is a date or a time of day
// has that as its type in the tag, or the database is asked. Options.TimesAsGiven
// leaves that to the driver. Entities get their times in UTC.
//
// A zero value is written as it is, with three exceptions. A column whose default
// is a function (`default:now()`, `default:gen_random_uuid()`) gets the default on
// insert and keeps its value later, and the entity gets that value. A column with a
// literal default (`default:18`) gets it, and the entity too, where the row is
// inserted, as by GORM's Create; where it is overwritten it gets the zero. A zero that
// a document of SmartSave names is stored. Use a pointer to insert a zero. With
// `default:null` a zero value is NULL.
//
// Update and Merge write only the columns that changed, by UPDATE. A Save of an entity
// that has a version, or a key that the database makes, or the time of its creation, is
// an UPDATE too, of all columns. Without any of these, and in lists without a version, a
// row that exists is written by INSERT ... ON CONFLICT on PostgreSQL and SQLite: triggers
// for inserts fire. Where the database refuses the INSERT, for a column that T does not
// have or for a missing right, saves look first which rows are there.
//
// Lists are written in statements of 1000 rows on PostgreSQL, 500 on MySQL and
// 50 on SQLite, in one transaction. PostgreSQL gets 24 rows and more as arrays, 5000 in a
// statement, unless a column is an array itself, or a value is more than a number, a
// text, a time or bytes. On MySQL an upsert fires on every unique index and would rewrite
// the rows of others: rows are looked up and locked first, and what was written is counted.
//
// The hooks BeforeSave and AfterSave run once for every entity that is written,
// BeforeCreate and AfterCreate for the new ones too, BeforeDelete and
// AfterDelete in Delete, AfterFind where entities are read. Their handle is the
// transaction. BeforeUpdate and AfterUpdate run where a row is updated: saves of
// types that have them look first whether it is there, and so do saves of entities
// with version 0 whose types have hooks for new ones. No other hooks run.
//
// # Queries
//
// Fields are named as in Go, "Home.City" for one that GORM embeds by a tag. How
// text compares and sorts is up to the column's collation; Prefix tells upper
// from lower case everywhere. NULL sorts first. A Native option takes a
// func(*gorm.DB) *gorm.DB, which may add conditions, joins and preloads; what
// it asks for is kept together, so that an Or in it does not reach out, and
// Unscoped shows soft-deleted rows.
//
// # Associations
//
// With Options.Associations the methods that save entities or documents save what these
// are associated with too, in the same transaction: what an entity belongs to before its
// row, and what it has, by has-one, has-many and many2many, after it. Elements that have
// associations are saved in the same way. The rules of this package hold for elements:
//
//   - An element that is not stored is inserted. Others are locked, and what has changed
//     of them is written by an UPDATE. One that has not changed keeps its version.
//   - Elements of a has-one or has-many get the foreign key. One that belongs to another
//     entity is repo.ErrInvalid, and nothing is written. A repository of its own type can
//     move it.
//   - An element with another version than the stored one is repo.ErrStale. Version 0
//     overwrites every version in a has-one or has-many, which the version of the entity
//     guards. A shared entity, of a belongs-to or many2many, needs the stored version.
//   - An element that is marked as deleted is repo.ErrNotFound. Options.Revive brings it
//     back.
//   - An entity that comes several times in one call is saved once. Copies of a shared one
//     must be equal, and an element is in one list once, else it is repo.ErrInvalid.
//
// The error names the entity whose element has failed. The hooks and times of elements are
// those of a save. An element is written as a whole: a shared one that has nothing but its
// key overwrites the stored one with zeros, so set the foreign key instead. Merge does not
// merge into stored elements. A belongs-to that is there decides the foreign key: make it
// nil to set another key.
//
// What is left alone: associations that are a nil list, a nil pointer or a zero struct,
// because nobody has read them; elements that a list leaves out; and all associations in
// deletions, UpdateWhere and Restore, where the foreign keys of the database decide.
//
// Options.Orphans names associations whose stored elements are deleted, or marked, when an
// entity is saved with a list that leaves them out. An empty list deletes all, and a nil
// list none. A has-one loses its element to another one, and never to nil. Of a many2many
// the rows of the join table are deleted and the entities stay. Orphans go before new
// elements come, which may need their unique values. No hooks run for them, and what they
// have is left to the foreign keys of the database. A belongs-to is repo.ErrInvalid in New.
//
// A list that was not read and then appended to leaves out everything that is stored. So
// Update reads the associations that Orphans names; before Save read them by repo.Native
// with Preload.
//
// # Transactions
//
// InTx runs at READ COMMITTED, where the database knows it. Other repositories
// on the same *sql.DB join by the context. Update locks the row that it reads
// (SELECT ... FOR UPDATE; the whole database on SQLite), so it loses no update
// of anybody. When the database gives up a transaction that a method made for
// itself, because of a deadlock for instance, the method runs it again, hooks
// included; inside InTx the error is returned.
//
// InTx commits only what it can show to be whole; otherwise it returns
// repo.ErrRolledBack, whatever its function made of the error. A nested InTx that
// fails spoils the outer one, unless repo.WithSavepoint says that it is undone
// alone. A transaction that is over, or that the database may have ended, takes no
// statement. DB returns the *gorm.DB of the transaction. Its statements may set
// savepoints, but not begin or end a transaction, which definitions on MySQL do
// too, and GORM's prepared statements are not used.
//
// # Plugins
//
// The naming strategy, the clock, the logger and the callbacks of the *gorm.DB are
// used. Under a fence every statement has to run on the connection that has shown
// the claims. dbresolver leaves statements of a transaction there, so replicas may
// be configured; they are never read under a hold. A plugin that sends them
// elsewhere, or that answers a query from a cache, gets repo.ErrUnsupported, and
// nothing is written. Without a fence plugins do as they like.
//
// # The fence
//
// A lock that lives outside of the database cannot stop a holder who was paused
// until the lock was somebody else's. Under a context with a driver.Fence, which
// repositories of package lockedrepo give to theirs, every call shows the claims
// of the hold to the database: each transaction begins with them, one that only
// reads too, and a call whose claims are refused is repo.ErrFenced and has
// written nothing. Calls inside of InTx show those that the transaction has not
// shown yet. On PostgreSQL a save that takes one INSERT is one statement with its
// claims. Without a fence in the context nothing of this happens.
//
// It needs four tables, holdfast_fence, holdfast_guard, holdfast_ops and
// holdfast_meta, in the schema of the entity's table (on MySQL its database, on
// SQLite its file), or in Options.FenceSchema. MigrateFence makes them; FenceDDL
// returns the statements for a migration tool. The role needs SELECT, INSERT and
// UPDATE on them, and DELETE on holdfast_ops. Rows of holdfast_fence must never
// be deleted. The schema is looked up at the first call under a fence, through
// views and from partitions too. Where it has no fence, but the schema that the
// connection uses has one, the tables are made. A connection that later finds
// another table under the same name gets repo.ErrUnsupported.
//
// A table remembers the key that guards it: the first that was shown for it.
// Writers under another key would not exclude those, and get a
// *repo.WrongKeyError that names both. To rename a key, run all processes with
// both keys, call MoveGuard, then run them with the new one; see there.
//
// Notes of writes, in holdfast_ops, are deleted by the way after Options.KeepOps,
// a day by default. FenceStats tells how many there are, and CheckFence what makes
// a fence slow or large.
//
// The promise that no acknowledged write is lost holds where every writer of the
// table is locked by the same key, and where the database keeps what it has
// committed:
//
//   - PostgreSQL: synchronous_commit on, its default; with a standby that can take
//     over, a synchronous one. Reads go to the primary.
//   - MySQL and MariaDB: InnoDB, innodb_flush_log_at_trx_commit = 1 and
//     sync_binlog = 1; semi-synchronous or group replication where a replica can
//     take over. autocommit is on in new sessions.
//   - SQLite: synchronous = FULL, as drivers.OpenSQL sets it, and a file system
//     that locks files and keeps what was synchronised.
//
// The row of a claim is a lock that the database keeps until the transaction
// ends. Options.HoldLimit makes it end the transaction of a host that vanished;
// who waits longer than that gets repo.ErrBusy.
//
// When the answer to a commit is lost, because a connection broke or the context
// ended, the database is asked: the call returns nil when the transaction was
// committed, the error of the connection when it never will be, and
// repo.ErrUnknown when the database does not answer. Outcome asks again. That
// can take as long as HoldLimit, and five seconds more, after the context ended.
//
// When etcd was restored from a backup its revisions begin below those that the
// database has seen, and everything is refused. Stop all processes, restore or
// replace etcd, run AdvanceEpoch once for each schema with a fence, start them
// again.
//
// # Errors
//
// Errors match the sentinels of package repo, and the driver's errors stay
// matchable behind them, unless GORM's TranslateError replaced them. The text
// of a duplicate key is kept out of messages, because it may quote the value.
//
// # What it does not promise
//
// It takes no lock that outlasts a statement outside of Update and InTx:
// FindByID, a change and Save lose what another process saved in between,
// unless the entity has a version or the repository is a locked one. When a
// connection breaks, or a context ends, during a commit, it is unknown whether
// that happened, but for the fence. After a rolled-back InTx the entities saved in it keep the
// keys, times and versions they were given. DeleteByID, DeleteAllByID, UpdateWhere,
// DeleteWhere and Restore run no hooks, since no entity is there to run them for.
// Associations are neither saved nor loaded unless asked for. Those who write elements by
// other repositories need the same lock as those who write them with their entity.
package gormrepo
