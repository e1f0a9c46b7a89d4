package mongostore_test

import (
	"os"
	"testing"

	"github.com/holdfast-go/holdfast/integration_test/internal/inmemory"
	"github.com/holdfast-go/holdfast/integration_test/internal/mongoharness"
	"github.com/holdfast-go/holdfast/integration_test/internal/scale"
	"github.com/holdfast-go/holdfast/repo/memrepo"
	"github.com/holdfast-go/holdfast/repo/repotest"
)

func TestMongo_Conformance(t *testing.T) {
	repotest.Run(t, mongoharness.New(t))
}

// What random operations answer is what memory answers.
func TestMongo_Model(t *testing.T) {
	documents, h := &memrepo.Options{Documents: true}, mongoharness.New(t)
	if os.Getenv("MONGODB_URI") == "" {
		h.Items = nil // the stand-in takes {"p": 1} and {"q": 1} for equal, and does not set the one over the other
	}
	repotest.RunModel(t, h, repotest.Harness{
		Features: repotest.Features{Update: true, Writer: true},
		Items:    inmemory.Of[repotest.Item](documents),
		Marked:   inmemory.Of[repotest.Marked](documents),
		FromZero: inmemory.Of[repotest.Marked](&memrepo.Options{Documents: true, VersionFromZero: true}),
	}, scale.Full(4000))
}
