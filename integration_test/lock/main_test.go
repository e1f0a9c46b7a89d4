package lock_test

import (
	"os"
	"testing"

	"go.etcd.io/etcd/etcdctl/v3/ctlv3"

	"github.com/holdfast-go/holdfast/integration_test/internal/children"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
)

func TestMain(m *testing.M) {
	children.Run(map[string]func(args []string) error{
		"etcdctl": func([]string) error { ctlv3.MustStart(); return nil },
		"crowd":   runCrowd,
		"guest":   runGuest,
	})
	os.Exit(embedded.Run(m))
}
