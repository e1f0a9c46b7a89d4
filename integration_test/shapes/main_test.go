package shapes_test

import (
	"os"
	"testing"

	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
)

func TestMain(m *testing.M) { os.Exit(embedded.Run(m)) }
