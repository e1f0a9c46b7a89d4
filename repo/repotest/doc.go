// Package repotest tests whether a repository keeps the contract of package
// repo: what every backend of Holdfast passes, exported so that a backend of
// your own can be held to the same.
//
//	func TestRepository(t *testing.T) {
//		repotest.Run(t, repotest.Harness{
//			Features: repotest.Features{AtomicSaveAll: true, CaseSensitiveText: true},
//			Items:    fresh[repotest.Item],
//			Autos:    fresh[repotest.Auto],
//			Marked:   fresh[repotest.Marked],
//		})
//	}
//
//	func fresh[T any](t *testing.T) repo.Repository[T] { return mystore.New[T](emptyTable(t)) }
//
// # The harness
//
// A harness makes an empty repository for each entity type; each type is about
// one thing. A type that the harness does not make and a feature that it does
// not claim skip their tests, and the log says so. The entities have gorm, bson
// and json tags; a harness makes the columns, and the unique indexes on
// Item.SKU and Auto.Slot. A missing Slot is not unique: on a store that counts
// null as a value the index must leave it out.
//
// # The model
//
// RunModel runs random operations on the repository under test and on another
// one that is known to be right, memrepo for instance, and compares what they
// say. It prints its seed; set REPOTEST_SEED to it to run the same again.
//
// No entity here has hooks, which only GORM calls. Compare runs the same for an entity
// and operations of your own: Holdfast's tests compare SQL stores, which call hooks,
// with a model that calls them by the rule in package gormrepo.
//
// # What it does not promise
//
// It does not look at isolation between processes, at speed, or at what a store
// does when it fails. Text order is tested on small ASCII letters only, because
// collations differ elsewhere; times are compared to the millisecond; zero
// times and the sort order of fields without a value are left alone.
package repotest
