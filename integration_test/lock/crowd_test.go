package lock_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/children"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/scale"
)

// crowd is what a process of a crowd is told to do.
type crowd struct {
	Endpoints  []string
	Namespace  string
	Ledger     string
	Process    int
	Goroutines int
	Visits     int64         // of all its goroutines
	For        time.Duration // at least, if there is no number of visits,
	Handovers  int64         // and until there were so many between processes
	OwnMutex   bool          // what every process has anyway, instead of the lock
}

// crowdReport is what a process of a crowd has seen.
type crowdReport struct {
	Visits, Overlaps, Overtaken int64
	LongestWait                 time.Duration
	MostHandovers               int64 // between processes during one wait
}

// runCrowd is the child program "crowd". It says when it is ready, and starts
// when its standard input ends.
func runCrowd(args []string) error {
	var c crowd
	if err := json.Unmarshal([]byte(args[0]), &c); err != nil {
		return err
	}
	// Not without end, should the test that started it be gone.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	r, err := c.run(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

func (c *crowd) run(ctx context.Context) (r crowdReport, err error) {
	l, err := openLedger(c.Ledger)
	if err != nil {
		return r, err
	}
	defer l.f.Close()
	client, err := clientv3.New(clientv3.Config{Endpoints: c.Endpoints, Logger: zap.NewNop()})
	if err != nil {
		return r, err
	}
	defer client.Close()
	locker, err := etcdlock.New(client, &etcdlock.Options{Namespace: c.Namespace})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, locker.Close(ctx)) }()
	// So that no process spends the beginning on getting a session.
	if err := locker.Do(ctx, fmt.Sprintf("warm-%d", c.Process), func(context.Context) error { return nil }); err != nil {
		return r, err
	}
	fmt.Fprintln(os.Stdout, "ready")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return r, err
	}

	lock := func() (token, turn int64, unlock func() error, err error) {
		k, err := locker.Lock(ctx, "n")
		if err != nil {
			return 0, 0, nil, err
		}
		return k.Token(), turnOf(k, "n"), func() error { return k.Unlock(ctx) }, nil
	}
	var mu sync.Mutex
	if c.OwnMutex {
		lock = func() (token, turn int64, unlock func() error, err error) {
			mu.Lock()
			return 0, 0, func() error { mu.Unlock(); return nil }, nil
		}
	}
	begun, end := atomic.Int64{}, time.Now().Add(c.For)
	goesOn := func(handovers int64) bool {
		if c.Visits > 0 {
			return begun.Add(1) <= c.Visits
		}
		return time.Now().Before(end) || handovers < c.Handovers && time.Now().Before(end.Add(time.Minute))
	}
	var g errgroup.Group
	for range c.Goroutines {
		g.Go(func() error {
			for {
				before, err := l.read()
				if err != nil || !goesOn(before.handovers()) {
					return err
				}
				asked := time.Now()
				token, turn, unlock, err := lock()
				if err != nil {
					return err
				}
				r.LongestWait = max(r.LongestWait, time.Since(asked))
				err = l.visit(c.Process, token, turn)
				r.Visits++
				r.MostHandovers = max(r.MostHandovers, l.last.handovers()-before.handovers())
				switch {
				case errors.Is(err, errMet):
					r.Overlaps++
				case errors.Is(err, errOvertaken):
					r.Overtaken++
				case err != nil:
					return errors.Join(err, unlock())
				}
				if err := unlock(); err != nil {
					return err
				}
			}
		})
	}
	return r, g.Wait()
}

// runCrowds lets processes meet in one ledger, and returns what each of them
// has seen and what the ledger says in the end.
func runCrowds(ctx context.Context, t *testing.T, f *locks.Fleet, crowds [crowdProcesses]crowd) (reports [crowdProcesses]crowdReport, end page) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger")
	l, err := openLedger(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.f.Close()
	var processes errgroup.Group
	var ready sync.WaitGroup
	ready.Add(len(crowds))
	for i, c := range crowds {
		c.Endpoints, c.Namespace, c.Ledger, c.Process = f.Endpoints, f.Namespace, path, i
		spec, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		cmd := children.Command(ctx, t, "crowd", string(spec))
		cmd.Stderr = os.Stderr
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		processes.Go(func() error {
			err := cmd.Start()
			out := bufio.NewReader(stdout)
			if err == nil {
				_, err = out.ReadString('\n')
			}
			ready.Done()
			if err != nil {
				return err
			}
			ready.Wait()
			stdin.Close()
			err = json.NewDecoder(out).Decode(&reports[i])
			return errors.Join(err, cmd.Wait())
		})
	}
	if err := processes.Wait(); err != nil {
		t.Fatal(err)
	}
	if end, err = l.read(); err != nil {
		t.Fatal(err)
	}
	return reports, end
}

// Processes with many goroutines each exclude one another. The same visitors
// with nothing but a mutex of their own process do not, which shows that the
// ledger notices.
func TestLockCrowd_Excludes(t *testing.T) {
	for _, ownMutex := range []bool{false, true} {
		t.Run(fmt.Sprintf("OwnMutex=%v", ownMutex), func(t *testing.T) {
			ctx := check.Bounded(t, 10*time.Minute)
			f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
			var crowds [crowdProcesses]crowd
			each := scale.Full(int64(100_000))/crowdProcesses + 1
			for i := range crowds {
				crowds[i] = crowd{Goroutines: 16, Visits: each, OwnMutex: ownMutex}
			}
			reports, end := runCrowds(ctx, t, f, crowds)
			var sum crowdReport
			for _, r := range reports {
				sum.Visits += r.Visits
				sum.Overlaps += r.Overlaps
				sum.Overtaken += r.Overtaken
			}
			if sum.Visits != each*crowdProcesses {
				t.Errorf("%d visits were made, want %d", sum.Visits, each*crowdProcesses)
			}
			undone := sum.Visits - end.Visits
			t.Logf("%d visits, %d handovers; %d met another, %d were undone", sum.Visits, end.handovers(), sum.Overlaps, undone)
			switch {
			case ownMutex && sum.Overlaps == 0 && undone == 0:
				t.Error("without the lock no visit met another: the test would not notice a broken lock")
			case !ownMutex && (sum.Overlaps > 0 || undone > 0):
				t.Error("the lock did not keep the visits apart")
			case !ownMutex && sum.Overtaken > 0:
				t.Errorf("%d times a token or turn did not grow", sum.Overtaken)
			}
			if !ownMutex && end.handovers() <= crowdProcesses {
				t.Error("the processes came one after the other: the test proves nothing")
			}
		})
	}
}

// Processes get the lock in turn, however many goroutines each of them has.
func TestLockCrowd_Fairness(t *testing.T) {
	for name, goroutines := range map[string][crowdProcesses]int{
		"1": {1, 1, 1}, "8": {8, 8, 8}, "32": {32, 32, 32}, "Mixed": {1, 8, 32},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := check.Bounded(t, 2*time.Minute)
			f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
			var crowds [crowdProcesses]crowd
			for i, n := range goroutines {
				crowds[i] = crowd{Goroutines: n, For: scale.Full(10 * time.Second), Handovers: 100}
			}
			reports, end := runCrowds(ctx, t, f, crowds)
			if end.handovers() < 100 {
				t.Errorf("%d handovers in a minute", end.handovers())
			}
			t.Logf("%d visits, handovers to each process %v", end.Visits, end.Handovers)
			for i, r := range reports {
				t.Logf("process %d, %d goroutines: %d visits, longest wait %v, with at most %d handovers meanwhile",
					i, goroutines[i], r.Visits, r.LongestWait, r.MostHandovers)
				if r.Overlaps > 0 || r.Overtaken > 0 {
					t.Errorf("process %d: %d visits met another, %d were overtaken", i, r.Overlaps, r.Overtaken)
				}
				// Tokens that grow say that nobody overtakes anybody in etcd's
				// queue, where each process stands but once. This is about the
				// way there.
				if r.MostHandovers > end.handovers()/4 {
					t.Errorf("process %d: somebody waited for %d of %d handovers", i, r.MostHandovers, end.handovers())
				}
				if fair := float64(end.handovers()) / crowdProcesses; float64(end.Handovers[i]) < 0.8*fair {
					t.Errorf("process %d got %d of %d handovers", i, end.Handovers[i], end.handovers())
				}
			}
		})
	}
}
