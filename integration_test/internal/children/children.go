package children

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// childEnv makes the test binary be another program: its value says which.
const childEnv = "HOLDFAST_TEST_CHILD"

// Run does not return in a process that was started as a child: it runs the program.
func Run(programs map[string]func(args []string) error) {
	name := os.Getenv(childEnv)
	if name == "" {
		return
	}
	if err := programs[name](os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Command returns a command that runs this binary as the program what.
// It is killed when ctx ends.
func Command(ctx context.Context, t *testing.T, what string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), childEnv+"="+what)
	return cmd
}
