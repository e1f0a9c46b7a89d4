package integration_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"go.etcd.io/etcd/etcdctl/v3/ctlv3"
)

// childEnv makes the test binary be another program: its value says which.
const childEnv = "HOLDFAST_TEST_CHILD"

// runChild does not return in a process that was started as a child.
func runChild() {
	switch os.Getenv(childEnv) {
	case "":
		return
	case "etcdctl":
		ctlv3.MustStart()
	case "signposts":
		os.Exit(runSignposts(os.Args[1:]))
	case "crowd":
		os.Exit(runCrowd(os.Args[1]))
	case "guest":
		if err := runGuest(os.Args[1], os.Args[2], os.Args[3], os.Args[4] == "true"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(0)
}

// childCommand returns a command that runs this binary as the program what.
// It is killed when ctx ends.
func childCommand(ctx context.Context, t *testing.T, what string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), childEnv+"="+what)
	return cmd
}
