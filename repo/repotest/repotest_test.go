package repotest_test

import (
	"testing"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
	"github.com/holdfast-go/holdfast/repo/repotest"
)

// fresh makes repositories on one database.
func fresh[T any](db *memrepo.DB) func(t *testing.T) repo.Repository[T] {
	return func(t *testing.T) repo.Repository[T] {
		t.Helper()
		r, err := memrepo.New[T](&memrepo.Options{DB: db})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}

func harness() repotest.Harness {
	db := memrepo.NewDB()
	return repotest.Harness{
		Features: repotest.Features{
			AtomicSaveAll: true, Update: true, Reader: true, Writer: true, IsolatedUpdate: true, Transactions: true, CaseSensitiveText: true,
		},
		Items:    fresh[repotest.Item](db),
		Autos:    fresh[repotest.Auto](db),
		Pairs:    fresh[repotest.Pair](db),
		Lines:    fresh[repotest.Line](db),
		Pointed:  fresh[repotest.Pointed](db),
		Sealed:   fresh[repotest.Sealed](db),
		Assigned: fresh[repotest.Assigned](db),
		Plain:    fresh[repotest.Plain](db),
		Coded:    fresh[repotest.Coded](db),
		Told:     fresh[repotest.Told](db),
		Marked:   fresh[repotest.Marked](db),
		FromZero: func(t *testing.T) repo.Repository[repotest.Marked] {
			t.Helper()
			r, err := memrepo.New[repotest.Marked](&memrepo.Options{DB: db, VersionFromZero: true})
			if err != nil {
				t.Fatal(err)
			}
			return r
		},
		Defaulted: fresh[repotest.Defaulted](db),
		Stamped:   fresh[repotest.Stamped](db),
		Unmarked:  fresh[repotest.Unmarked](db),
		Native:    func(n int64) any { return func(e *repotest.Item) bool { return e.Stock > n } },
	}
}

func TestMemory(t *testing.T) { repotest.Run(t, harness()) }

func TestModelAgreesWithItself(t *testing.T) { repotest.RunModel(t, harness(), harness(), 2000) }
