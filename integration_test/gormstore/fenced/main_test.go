package fenced_test

import (
	"os"
	"testing"

	"github.com/holdfast-go/holdfast/integration_test/internal/runner"
)

func TestMain(m *testing.M) { os.Exit(runner.Run(m)) }
