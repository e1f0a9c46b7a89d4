// Package repo is the contract of Holdfast's repositories: one typed interface
// that GORM, MongoDB and memory satisfy alike, and that a locked repository
// satisfies too, so that a service swaps one for the other by one line.
//
//	type Order struct {
//		ID    int64  `gorm:"primaryKey" bson:"_id" json:"id"`
//		Buyer string `json:"buyer"`
//		Total int64  `json:"total"`
//	}
//
//	var total = repo.MustField[Order, int64]("Total")
//
//	func cheap(ctx context.Context, orders repo.Repository[Order]) ([]*Order, error) {
//		return orders.Find(ctx, total.Lt(1000), total.Asc(), repo.Limit(20))
//	}
//
// # Entities
//
// An entity is a struct. Its key is the field that GORM takes as the primary
// key, else the one with the BSON name _id, else the field ID; a type without
// one is refused by the constructors. A key may have several fields.
//
// Some fields have a duty. They are marked by GORM's own types and tags
// (gorm.DeletedAt, autoCreateTime, autoUpdateTime, gorm.Model) or by
//
//	Version   int64      `holdfast:"version"` // counted up by every save, checked against the store; 0 is new
//	DeletedAt *time.Time `holdfast:"deleted"` // set by Delete, which then keeps the entity
//	CreatedAt time.Time  `holdfast:"created"` // set once
//	UpdatedAt time.Time  `holdfast:"updated"` // set by every save
//	CreatedBy string     `holdfast:"createdby"` // the actor of the context, set once; see WithActor
//	UpdatedBy string     `holdfast:"updatedby"` // the actor of the last save
//
// A name alone never gives a field a duty. `holdfast:"objectid"` marks text that
// package mongorepo stores as ObjectIDs; other stores take it as text.
//
// # Ids
//
// Where a method takes an id it may be a value of the key's type; for an
// integer key any integer that fits; for a text key any text; for an ObjectID
// its 24 hex digits; for a UUID, and other types that read text by UnmarshalText,
// their text; and for every key, composite ones above all, an entity
// with its key fields set. A key behind a pointer takes what the one without
// takes. Anything else, a slice given as one id too, is
// ErrInvalid. An id is always a value and never part of a query's text.
//
// # Queries
//
// Field handles make conditions and sort keys. Condition says what a field without a value
// means and how text compares, which is the same on every store. A store that cannot
// answer a query refuses it with ErrUnsupported.
//
//	buyer, total := repo.MustField[Order, string]("Buyer"), repo.MustField[Order, int64]("Total")
//	orders.Find(ctx, repo.Or(total.Between(10, 20), repo.Not(buyer.Prefix("a").IgnoreCase())), total.Desc().NullsLast())
//
// Functions read what Find does not return: one entity, a page, a window behind a cursor, a
// stream, one field, a smaller struct, groups.
//
//	largest, err := repo.FindOne(ctx, orders, buyer.Eq("Ann"), total.Desc())
//	w, err := repo.FindWindow(ctx, orders, cursors, repo.WindowRequest{Size: 20, After: after}, total.Desc())
//	for o, err := range repo.Stream(ctx, orders) { ... }
//
// # Writes
//
// Save and Delete are about entities that a caller has. [Writer] has inserts, upserts by a
// natural key, and writes by a condition, and [Store] is all that a service writes by.
//
//	n, err := orders.UpdateWhere(ctx, buyer.Eq("Ann"), repo.Increase(total, 5))
//
// # SmartSave
//
// SmartSave takes entities as JSON documents in the form of the Spring DTO.
// Member names match json tags, else Go names, without regard to case,
// underscores and dashes. All documents are checked before anything is stored. See Replace, Merge and
// MergeNonNull for what happens to members that a document does not name.
//
// # Errors
//
// One sentinel per decision of the caller, matched by errors.Is. Errors that
// concern elements of a list come in a *BatchError with their indexes.
//
// # What it does not promise
//
// The interface says nothing of isolation between two calls: FindByID, a
// change and Save lose what another process saved in between, unless the
// entity has a version field, or the change runs in Update of a locked
// repository. Soft-deleted entities stay invisible until Restore, and there
// is no way to query them but the store's own. Times keep the precision of the store:
// microseconds or milliseconds.
package repo
