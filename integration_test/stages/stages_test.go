package stages_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// rounds is how often each pod adds one.
const rounds = 45

// Pods of two neighbouring stages lose nothing. Those of the first and the third know nothing of each
// other: with them the test sees what a loss is like.
func TestStages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		stages []int
		loses  bool
	}{
		{"OldAndBoth", []int{1, 1, 2, 2}, false},
		{"BothAndEtcd", []int{2, 2, 3, 3}, false},
		{"OldAndEtcd", []int{1, 1, 3, 3}, true},
	} {
		for name, open := range databases {
			for _, redis := range []bool{true, false} {
				if redis && name == "SQLite" {
					continue // a file has no pods on several machines, which is what a lock on Redis is for
				}
				old := map[bool]string{true: "Redis", false: "Table"}[redis]
				t.Run(c.name+"/"+name+"/"+old, func(t *testing.T) {
					runStages(t, open(t), redis, c.stages, c.loses)
				})
			}
		}
	}
}

func runStages(t *testing.T, d database, onRedis bool, stages []int, loses bool) {
	t.Helper()
	p := pod{Lock: servers.UniqueName("holdfast_test_"), Endpoints: endpoints(t), Database: d, Rounds: rounds}
	db, _ := d.pool(t)
	if err := db.AutoMigrate(&counter{}); err != nil {
		t.Fatal(err)
	}
	if err := gormrepo.MigrateFence(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if err := db.Create(&counter{ID: 1}).Error; err != nil {
		t.Fatal(err)
	}
	if onRedis {
		p.Redis = servers.RequireEnv(t, "REDIS_ADDR")
		client := redis.NewClient(&redis.Options{Addr: p.Redis})
		t.Cleanup(func() {
			if n := client.Exists(context.Background(), p.Lock).Val(); n != 0 {
				t.Error("the old lock is still held")
			}
			_ = client.Close()
		})
	} else if err := db.Exec(shedlockTables[d.Dialect]).Error; err != nil {
		t.Fatal(err)
	}
	for try := 1; ; try++ {
		acknowledged := runPods(t, p, stages)
		var c counter
		if err := db.First(&c, 1).Error; err != nil {
			t.Fatal(err)
		}
		t.Logf("%d of %d acknowledged additions are there", c.N, acknowledged)
		lost := acknowledged - c.N
		switch {
		case acknowledged != int64(rounds*len(stages)):
			t.Fatalf("%d additions were acknowledged, want %d", acknowledged, rounds*len(stages))
		case lost > 0 && !loses:
			t.Fatalf("%d additions are lost", lost)
		case lost > 0 || !loses:
			return
		case try == 5:
			t.Fatal("nothing is lost where nothing is locked together: the test would not notice a broken lock")
		}
		if err := db.Model(&c).Update("n", 0).Error; err != nil {
			t.Fatal(err)
		}
	}
}

// runPods starts a process for each stage, lets all begin together, and returns how many
// additions were acknowledged.
func runPods(t *testing.T, p pod, stages []int) (acknowledged int64) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	type process struct {
		cmd *exec.Cmd
		in  io.WriteCloser
		out *bufio.Reader
	}
	var processes []process
	for _, stage := range stages {
		p.Stage = stage
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Env = append(os.Environ(), podEnv+"="+string(text))
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		processes = append(processes, process{cmd, in, bufio.NewReader(out)})
	}
	for i, p := range processes {
		if line, err := p.out.ReadString('\n'); line != "ready\n" {
			t.Errorf("pod %d says %q, %v", i, line, err)
		}
	}
	counts := make([]int64, len(processes))
	var all errgroup.Group
	for i, p := range processes {
		all.Go(func() error {
			_ = p.in.Close()
			line, _ := p.out.ReadString('\n')
			if err := p.cmd.Wait(); err != nil {
				return err
			}
			var err error
			counts[i], err = strconv.ParseInt(line[:max(len(line)-1, 0)], 10, 64)
			return err
		})
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, n := range counts {
		acknowledged += n
	}
	return acknowledged
}
