package repotest

import (
	"testing"

	"github.com/holdfast-go/holdfast/repo"
)

// Harness makes the repositories under test. Every call makes an empty one,
// with a table or collection of its own and the unique indexes that the gorm
// tags of the entity name, and cleans up after t. Repositories that are made
// for one test share a database where Features.Transactions is set.
//
// Items is required. What is nil is skipped, with the reason in the test log.
type Harness struct {
	// Features says which of the optional tests run.
	Features Features

	// Items makes a repository of an ordinary entity, for most tests.
	Items func(t *testing.T) repo.Repository[Item]
	// Autos makes one whose store generates the keys.
	Autos func(t *testing.T) repo.Repository[Auto]
	// Pairs makes one with keys of two fields.
	Pairs func(t *testing.T) repo.Repository[Pair]
	// Lines makes one with keys of two fields, of which the store makes one.
	Lines func(t *testing.T) repo.Repository[Line]
	// Assigned makes one with integer keys that the caller assigns.
	Assigned func(t *testing.T) repo.Repository[Assigned]
	// Pointed makes one with integer keys behind pointers.
	Pointed func(t *testing.T) repo.Repository[Pointed]
	// Sealed makes one whose keys are bytes that read text, as UUIDs are.
	Sealed func(t *testing.T) repo.Repository[Sealed]
	// Plain makes one of an entity without tags.
	Plain func(t *testing.T) repo.Repository[Plain]
	// Coded makes one whose key is marked for BSON alone.
	Coded func(t *testing.T) repo.Repository[Coded]
	// Told makes one of an entity that says whether it is new.
	Told func(t *testing.T) repo.Repository[Told]
	// Marked makes one with a version, times and soft deletion.
	Marked func(t *testing.T) repo.Repository[Marked]
	// FromZero makes one of the same entity whose store begins with version 0, as
	// Hibernate and Spring Data do.
	FromZero func(t *testing.T) repo.Repository[Marked]
	// Defaulted makes one with literal defaults, for stores that read GORM's tags.
	Defaulted func(t *testing.T) repo.Repository[Defaulted]
	// Stamped makes one with times kept as numbers.
	Stamped func(t *testing.T) repo.Repository[Stamped]
	// Unmarked makes one whose field names look like duties and are none.
	Unmarked func(t *testing.T) repo.Repository[Unmarked]

	// Native returns a Native value of the store that holds for items with
	// Stock above n.
	Native func(n int64) any

	// PrepareFence makes what the fence needs in addition to the tables of the entities,
	// for repositories that are a driver.Fencer. It is called after a repository
	// was made and before the first call with a fence. It may be nil.
	PrepareFence func(t *testing.T)

	// Large is the length of the longest lists, 0 means 2500. It should cross
	// the store's batch size.
	Large int
}

// Features says what the repositories can do beyond what all must. An absent
// feature skips the tests of it.
type Features struct {
	// AtomicSaveAll: a list is written as a whole or not at all. Without it the
	// elements that the error does not name must be written.
	AtomicSaveAll bool
	// Update: repo.As finds a repo.Updater.
	Update bool
	// IsolatedUpdate: concurrent Updates of one entity lose nothing.
	IsolatedUpdate bool
	// Reader: repo.As finds a driver.Reader, for streams and groups.
	Reader bool
	// Writer: repo.As finds a repo.Writer.
	Writer bool
	// Transactions: repo.As finds a repo.Transactor, and it works.
	Transactions bool
	// TextKeys: a text key that is not set gets one from the store. Without it
	// such an entity must be refused.
	TextKeys bool
	// CaseSensitiveText: text compares by its characters. It is a matter of
	// the collation on some databases.
	CaseSensitiveText bool
}

func (h Harness) large() int {
	if h.Large > 0 {
		return h.Large
	}
	return 2500
}

// from makes a repository, or skips when the harness cannot.
func from[T any](t *testing.T, name string, fresh func(t *testing.T) repo.Repository[T]) repo.Repository[T] {
	t.Helper()
	if fresh == nil {
		t.Skipf("the harness makes no repository of %s", name)
	}
	return fresh(t)
}

func (h Harness) items(t *testing.T) repo.Repository[Item] {
	t.Helper()
	return from(t, "Item", h.Items)
}

func (h Harness) autos(t *testing.T) repo.Repository[Auto] {
	t.Helper()
	return from(t, "Auto", h.Autos)
}

func (h Harness) pairs(t *testing.T) repo.Repository[Pair] {
	t.Helper()
	return from(t, "Pair", h.Pairs)
}

func (h Harness) marked(t *testing.T) repo.Repository[Marked] {
	t.Helper()
	return from(t, "Marked", h.Marked)
}

// need skips unless the feature is there.
func need(t *testing.T, has bool, feature string) {
	t.Helper()
	if !has {
		t.Skipf("the repository under test has no feature %s", feature)
	}
}

// without skips when the feature is there, for tests of what happens else.
func without(t *testing.T, has bool, feature string) {
	t.Helper()
	if has {
		t.Skipf("the repository under test has the feature %s", feature)
	}
}
