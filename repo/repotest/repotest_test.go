package repotest_test

import (
	"testing"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
	"github.com/holdfast-go/holdfast/repo/repotest"
)

func fresh[T any](t *testing.T) repo.Repository[T] {
	t.Helper()
	r, err := memrepo.New[T](nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func harness() repotest.Harness {
	return repotest.Harness{
		Features: repotest.Features{AtomicSaveAll: true, Update: true, IsolatedUpdate: true, CaseSensitiveText: true},
		Items:    fresh[repotest.Item],
		Autos:    fresh[repotest.Auto],
		Pairs:    fresh[repotest.Pair],
		Assigned: fresh[repotest.Assigned],
		Plain:    fresh[repotest.Plain],
		Coded:    fresh[repotest.Coded],
		Told:     fresh[repotest.Told],
		Marked:   fresh[repotest.Marked],
		Stamped:  fresh[repotest.Stamped],
		Unmarked: fresh[repotest.Unmarked],
		Native:   func(n int64) any { return func(e *repotest.Item) bool { return e.Stock > n } },
	}
}

func TestMemory(t *testing.T) { repotest.Run(t, harness()) }

func TestModelAgreesWithItself(t *testing.T) { repotest.RunModel(t, harness(), harness(), 2000) }
