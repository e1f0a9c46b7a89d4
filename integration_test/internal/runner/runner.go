package runner

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"

	"go.uber.org/goleak"

	"github.com/holdfast-go/holdfast/integration_test/internal/scale"
)

// Run runs the tests of a package, then those functions, and returns the status to
// exit with. It fails when a goroutine is left.
func Run(m *testing.M, after ...func(passed bool) error) int {
	if err := testSideBySide(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	for _, f := range after {
		if err := f(code == 0); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if code == 0 {
		if err := goleak.Find(leftByOthers()...); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	return code
}

// testSideBySide has twice as many tests run at a time as there are processors, unless a
// flag says how many: most of them wait for a server. With the race detector they do not.
func testSideBySide() error {
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); !scale.Raced && parallel.Value.String() == parallel.DefValue {
		return parallel.Value.Set(strconv.Itoa(2 * runtime.GOMAXPROCS(0)))
	}
	return nil
}

// leftByOthers are the goroutines that an embedded etcd server leaves behind when
// its lock service was used with a lease: it never closes the client that the
// service has inside the server. Holdfast itself never uses that keepalive. GORM
// never stops the goroutine of a cache for prepared statements.
func leftByOthers() []goleak.Option {
	const client, adapter = "go.etcd.io/etcd/client/v3.(*lessor).", "go.etcd.io/etcd/server/v3/proxy/grpcproxy/adapter."
	return []goleak.Option{
		goleak.IgnoreAnyFunction(client + "deadlineLoop"),
		goleak.IgnoreAnyFunction(client + "sendKeepAliveLoop"),
		goleak.IgnoreAnyFunction(adapter + "(*chanStream).RecvMsg"),
		goleak.IgnoreAnyFunction(adapter + "(*ls2lc).LeaseKeepAlive.func1"),
		goleak.IgnoreTopFunction("gorm.io/gorm/internal/lru.NewLRU[...].func1"),
	}
}
