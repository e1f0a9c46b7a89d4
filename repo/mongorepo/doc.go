// Package mongorepo keeps entities in a MongoDB collection behind the same
// interface as the other backends: repo.Repository[T] on the official driver.
// It closes the traps between a Go struct and its document: keys that nobody
// makes, fields that a save wipes out, updates that come too late.
//
//	coll := client.Database("shop").Collection("orders")
//	orders, err := mongorepo.New[Order](coll, nil)
//	if err != nil {
//		return err
//	}
//	err = orders.Save(ctx, &Order{Buyer: "Ada", Total: 1200})
//
// # Documents
//
// Field names follow the driver's codec: the bson tag, else the Go name in
// lower case. Spring Data writes customerName where the codec writes
// customername: set the tags, or turn on UseJSONStructTags for the client. BSON
// options and registry are those of the client or the collection. An embedded struct without `bson:",inline"` is a document of
// its own, and so is gorm.Model.
//
// The key is _id, whatever the key field is called. A composite key is a
// document in _id with its fields in the order of the struct; they are nowhere
// else. One with another order there, or with one more field, as Spring's _class,
// is another document to MongoDB, and reading it is repo.ErrInvalid. An ObjectID key that is zero gets a new one before the write, so that a
// write that is sent twice cannot insert twice. MongoDB numbers nothing: an
// integer or text key must be set, or made by Options.NewID; an integer key
// tagged `gorm:"autoIncrement:false"` may be zero. Options.HexIDs is for
// collections of Spring Data, where text ids are ObjectIDs.
//
// # Saving
//
// A new entity is inserted. Another one is an upsert by its key that sets every
// field of T, takes away those that the codec left out (omitempty), and keeps
// fields that T does not have, such as Spring's _class. The creation time stays
// as stored. Nested documents and lists are written whole. A type with an
// inline map or an encoder of its own is replaced whole, creation time
// included, because its fields cannot be told. Update and merging write only
// what changed, in nested documents too, and keep what T does not have there.
//
// Version, soft delete and times work by the markers of package repo, and as
// conditions of the write itself: a version or a deletion that came in between
// is seen by the server. An entity that was read with version 0, or from a
// document without one, is saved over it: an insert with version 0 that finds
// one stored without a version counts as that. Options.VersionFromZero is for
// collections in which new entities have version 0.
//
// SaveAll is one unordered bulk write; with a version field each entity that is
// not new is a command of its own, several at a time. It is not one unit:
// elements that the *repo.BatchError does not name are written. Inside InTx it
// is, because one failed write aborts the transaction.
//
// # Write concern
//
// It is the client's or the collection's. A save counts as done when the server
// says so, and only with majority and journal does that survive the loss of a
// server; drivers.OpenMongo sets both. Transactions, and all that is done under
// a fence, have both whatever the client is set to. With an unacknowledged write
// concern nothing else can be checked.
//
// # Read preference
//
// It is the client's or the collection's for reads that no write is built on.
// Update, merging, and the reads that explain why a write was refused go to the
// primary and see what is there now. Under a fence queries read from the primary
// what a majority has, and transactions read a snapshot of that.
//
// # Queries
//
// Conditions name Go fields. A field without a value, null or absent, compares
// with nothing, as in SQL. Text is compared by its bytes unless the collection
// has a collation. Sorted pages end with the key, so that they do not overlap.
// Native takes a filter as bson.D or bson.M, in the names of the store. Conditions
// of more than 16 MiB are repo.ErrTooMany, and so long a document is repo.ErrInvalid.
//
// # Transactions
//
// InTx needs a replica set or a sharded cluster, and is repo.ErrUnsupported
// elsewhere. Repositories of one client join by the context. fn runs again when
// the server reports a conflict. mongo.SessionFromContext gives the session for
// the driver's own calls in it; their errors must be returned, because nobody
// else sees them.
//
// A command that fails spoils the transaction, as does a nested InTx that fails:
// later calls are refused, and InTx returns repo.ErrRolledBack and the cause
// although fn handled the error. One that is over takes no command: a goroutine
// that goes on with its context gets repo.ErrInTx. MongoDB has no savepoints.
//
// # The fence
//
// Under a context that carries a driver.Fence each document is protected by
// itself (driver.FenceDocument). It remembers the newest claims in its field _f,
// one for every lock that was held when it was read or written, so claims of
// different locks never meet. A call shows all claims of its context to every
// document, which accepts all of them or is left alone. The fewer claims a
// context has, the smaller are documents and filters: a locked repository
// should pass only those of its own lock.
//
//   - FindByID and FindAllByID store the claims with the read, FindAllByID by one
//     update and one find for 10 000 ids, so that no older holder can write the
//     documents any more. Update and merging read in the same way, and write on condition that the document still has the
//     claims of the read.
//   - Save, SaveAll and replacing documents write on condition that the document
//     accepts the claims, without another round trip. One that is not there is
//     inserted.
//   - Delete and its sisters delete on the same condition. The fence goes with the
//     document, and a stale holder's Save can bring it back: Options.Tombstones
//     prevents that.
//   - Find, Count and ExistsByID are not protected. What they return must not be
//     saved on their word alone: Update it, or read it again by its id.
//
// A refusal is repo.ErrFenced. Lists are not one unit: elements that the
// *repo.BatchError does not name are written. A merge reads all documents first
// and is refused before it writes any.
//
// Everything goes to the primary with majority and journal, whatever the client
// is set to: a claim that a new primary forgets is none. Only what a refusal is
// explained with is read as it is now. A call without a fence
// is not checked and keeps _f. A program that replaces whole documents, as Spring Data's
// save does, takes the fence away. So does a
// Save without a fence of a type that is replaced whole, and one under a fence
// keeps the claims of its own locks only. No entity sees _f, and a type that has
// a field of that name is repo.ErrInvalid.
//
// When the answer to a write is lost, the document is asked with the next
// attempt's claims: it has happened (no error), or it has not and never will
// (the network's error). It is a *repo.UnknownError when the server cannot be
// asked, when a newer holder was at the document since, and when a document that
// the write inserts is not there yet.
//
// In InTx the claims are also shown to a document of each lock in the collection
// holdfast_fence of the database, before anything else. Two transactions of one
// lock then conflict, so what they read by queries is protected from each other;
// from writes outside of transactions it is not. The collection, which is made
// when it is first needed, keeps the epoch too: see AdvanceEpoch for what to do
// after etcd was restored. A database that had no epoch has epoch 0.
//
// # The key that guards a collection
//
// Writers that lock one collection under different keys do not exclude each
// other. So the first call under a fence registers its key in the collection
// holdfast_guards of the database, and a call under another key is refused with
// a *repo.WrongKeyError, reads and queries included. The key is what a
// driver.Guard says, else that of the only claim; claims of several keys without a
// Guard are not checked. Each repository reads the guard once; after that it
// costs no command.
//
// To rename a key, see MoveGuard. From the first move on each fenced document
// has the number of moves in its fence, in 11 bytes, and refuses writers that
// know fewer. A process that has not noticed the move is refused by every document that
// another one has read or written since; no acknowledged update of a document is
// lost to it. What is not guaranteed: it can write documents that nobody has
// touched since the move, and read anything by queries, until it is refused for
// the first time or starts again; and what a transaction reads by queries is not
// protected from it.
//
// # What grows
//
// There are no notes of writes to clear. holdfast_fence has a document for each
// lock that transactions have used and holdfast_guards one for each collection;
// neither is ever deleted. The fence of a document holds a claim of about 100
// bytes for each key that it was read or written under, those of renamed keys
// too. Tombstones stay until PruneTombstones takes them away: there are as many
// as ids were deleted since. Nothing calls it by itself, because only its user
// knows how late a stale holder can be.
//
// # What it does not promise
//
// FindByID, a change and Save lose what another writer saved in between unless
// T has a version field or all writers are fenced; Update does not. Without a
// fence a save whose answer got lost may have been written. Indexes are the
// user's: tags of GORM make none. In a transaction the id of a tombstone cannot
// be saved again.
//
// The tests ran on a stand-in that speaks MongoDB's protocol (FerretDB with one
// command at a time) and not on MongoDB, which was not at hand. It has no
// transactions: InTx was run against a script of a server only, which shows what
// is sent and not what MongoDB does with it; the same is true of lost answers and
// of read preferences. With MONGODB_URI set the tests run
// on a real server, transactions included where it is a replica set.
package mongorepo
