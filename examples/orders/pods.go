package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast-go/holdfast/drivers"
)

// runPods makes the tables, starts two pods and stops them when parent ends.
func runPods(parent context.Context, cfg drivers.Config, config string, ttl time.Duration, out, status io.Writer) error {
	if err := migrate(parent, cfg.SQL); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(parent)
	var ended errgroup.Group
	defer func() {
		cancel() // asks the pods to stop
		_ = ended.Wait()
	}()
	start := podStart{program: self, config: config, ttl: ttl, env: []string{cursorVariable + "=" + rand.Text() + rand.Text()}}
	var urls []string
	for range 2 {
		p, err := start.pod(ctx, status)
		if err != nil {
			return err
		}
		ended.Go(func() error {
			defer cancel() // one pod that ends is the end of both
			return p.wait()
		})
		urls = append(urls, p.url)
	}
	printHelp(out, urls)
	<-ctx.Done()
	if err := ended.Wait(); parent.Err() == nil {
		return fmt.Errorf("a pod ended: %w", err)
	}
	return nil
}

func printHelp(out io.Writer, urls []string) {
	fmt.Fprintf(out, `
two pods of one service: %s and %s. Try:

  curl %[1]s/products/import -d '{"entityList": [{"sku": "TEA", "name": "Tea", "price": 450, "stock": 100}]}'
  curl %[1]s/customers -d '{"name": "Ann"}'
  curl %[2]s/orders -d '{"id": "order-0001", "customerId": 1, "lines": [{"sku": "TEA", "quantity": 2}]}'
  curl '%[1]s/orders?status=eq:placed&sort=-total&size=10'
  curl -X POST %[1]s/orders/order-0001/cancel

Ctrl-C stops both.
`, urls[0], urls[1])
}

// podStart is how pods are started.
type podStart struct {
	program, config string
	ttl             time.Duration
	env             []string
}

// pod is a process that serves.
type pod struct {
	url  string
	cmd  *exec.Cmd
	wait func() error
}

// pod starts a process and waits until it listens. The process is asked to stop when ctx
// ends, and is killed when it does not.
func (s podStart) pod(ctx context.Context, log io.Writer) (*pod, error) {
	cmd := exec.CommandContext(ctx, s.program, "-config", s.config, "-listen", "127.0.0.1:0", "-ttl", s.ttl.String())
	cmd.Env = append(os.Environ(), s.env...)
	cmd.Stderr = log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 2*grace + time.Second
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return nil, errors.Join(errors.New("a pod did not come up"), cmd.Wait())
	}
	return &pod{strings.TrimSpace(line), cmd, sync.OnceValue(cmd.Wait)}, nil
}
