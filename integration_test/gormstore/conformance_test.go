package gormstore_test

import (
	"testing"

	"github.com/holdfast-go/holdfast/integration_test/internal/gormharness"
	"github.com/holdfast-go/holdfast/integration_test/internal/inmemory"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo/memrepo"
	"github.com/holdfast-go/holdfast/repo/repotest"
)

func TestGormConformance(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		repotest.Run(t, gormharness.New(b.Open(t)))
	})
}

func TestGormModel(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		repotest.RunModel(t, gormharness.New(b.Open(t)), repotest.Harness{
			Features:  repotest.Features{Update: true, Writer: true},
			Items:     inmemory.Of[repotest.Item](nil),
			Marked:    inmemory.Of[repotest.Marked](nil),
			FromZero:  inmemory.Of[repotest.Marked](&memrepo.Options{VersionFromZero: true}),
			Defaulted: inmemory.Of[repotest.Defaulted](nil),
		}, 400)
	})
}
