package child_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/internal/cmd/internal/child"
)

// job is what the children of the tests are given.
type job struct{ Answer string }

const answering = "answering"

// The children are this test again, in a role.
func TestMain(m *testing.M) {
	if child.InRole() {
		os.Exit(child.Main("test", nil, map[string]child.Role{
			answering: child.Doing(func(_ context.Context, j job, in io.Reader, out io.Writer) error {
				return child.Serve(j.Answer, in, out)
			}),
		}))
	}
	os.Exit(m.Run())
}

func start(t *testing.T, role string, given any) (*child.Process, *bufio.Reader) {
	t.Helper()
	p, err := child.Start(t.Context(), role, given)
	if err != nil {
		t.Fatal(err)
	}
	return p, bufio.NewReader(p.Out)
}

func TestChildDoesItsJobUntilItsInputEnds(t *testing.T) {
	t.Parallel()
	p, out := start(t, answering, job{"here & there"})
	line, err := out.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var where string
	if err := json.Unmarshal(line, &where); err != nil || where != "here & there" {
		t.Errorf("the child said %q: %v", line, err)
	}
	if runtime.GOOS != "windows" { // which has no such signal for another process
		if err := p.Cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.End(); err != nil {
		t.Errorf("the child did not end well: %v", err)
	}
}

func TestServeReadsUntilTheEnd(t *testing.T) {
	t.Parallel()
	in := strings.NewReader("nothing that matters")
	var out strings.Builder
	if err := child.Serve([]string{"here"}, in, &out); err != nil {
		t.Fatal(err)
	}
	if want := "[\"here\"]\n"; out.String() != want || in.Len() > 0 {
		t.Errorf("said %q, want %q, and left %d bytes", out.String(), want, in.Len())
	}
}

func TestChildThatCannotPlayFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		role  string
		given any
	}{
		"no such role":      {"singing", job{}},
		"a job for another": {answering, []string{"list"}},
	} {
		p, out := start(t, c.role, c.given)
		if said, err := io.ReadAll(out); err != nil || len(said) > 0 {
			t.Errorf("%s: the child said %q: %v", name, said, err)
		}
		var failed *exec.ExitError
		if err := p.End(); !errors.As(err, &failed) || failed.ExitCode() != 1 {
			t.Errorf("%s: ended with %v, want code 1", name, err)
		}
	}
}

func TestMainReturnsTheExitCode(t *testing.T) {
	t.Parallel()
	for want, result := range map[int]error{0: nil, 1: errors.New("a failure that is meant"), 2: flag.ErrHelp} {
		whole := func(context.Context, []string, io.Writer, io.Writer) error { return result }
		if got := child.Main("test", whole, nil); got != want {
			t.Errorf("after %v the code is %d, want %d", result, got, want)
		}
	}
}
