package lockedrepos_test

import (
	"os"
	"testing"

	"github.com/holdfast-go/holdfast/integration_test/internal/children"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
)

func TestMain(m *testing.M) {
	children.Run(map[string]func(args []string) error{"signposts": saveSignposts})
	os.Exit(embedded.Run(m))
}
