// Package driver is what a backend and a wrapper of repositories need in addition to
// package repo: queries and documents in checked form, the fence and the transaction of a
// context, and the interfaces by which a wrapper finds what a backend can do. Services
// that use repositories do not need it.
//
// A backend implements [repo.Repository]. Its calls begin with what is common to all:
//
//	func (r *Repository[T]) Find(ctx context.Context, opts ...repo.Option) ([]*T, error) {
//		q, err := driver.Compile[T](opts...) // checked against the fields of T
//		if err != nil {
//			return nil, err
//		}
//		tx, joined := driver.TxFrom(ctx)      // the transaction to join
//		f, fenced := driver.FenceFrom(ctx)    // the claims to show before anything is read
//		// ...
//	}
//
// The interfaces here are optional: what a backend does not implement, a wrapper does in a
// plainer way or refuses. Package repotest checks a backend.
//
// # What it does not promise
//
// The package changes more often than package repo does: a new method of an interface
// here breaks backends and no service.
package driver
