package child

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Variables that make a program be a child.
const (
	roleVariable = "HOLDFAST_CHILD_ROLE"
	jobVariable  = "HOLDFAST_CHILD_JOB"
)

// Main is the main function of the program name: it does whole, whose context
// ends at an interrupt, or in a child its role. It returns the code to exit
// with: 0, 2 when help was asked for, and 1 after any other error, which it
// prints.
func Main(name string, whole func(ctx context.Context, args []string, out, status io.Writer) error, roles map[string]Role) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if role, ok := os.LookupEnv(roleVariable); ok {
		// Interrupts are caught and lost: they are for the parent.
		err = play(context.WithoutCancel(ctx), role, roles)
	} else {
		err = whole(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 2
	case err != nil:
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		return 1
	}
	return 0
}

// InRole reports whether this process is a child.
func InRole() bool {
	_, ok := os.LookupEnv(roleVariable)
	return ok
}

// Role is what a child does with its job, which is JSON. It returns when in
// ends, or before.
type Role func(ctx context.Context, job []byte, in io.Reader, out io.Writer) error

// Doing makes a role of a function.
func Doing[J any](do func(ctx context.Context, job J, in io.Reader, out io.Writer) error) Role {
	return func(ctx context.Context, text []byte, in io.Reader, out io.Writer) error {
		var job J
		if err := json.Unmarshal(text, &job); err != nil {
			return fmt.Errorf("reading the job: %w", err)
		}
		return do(ctx, job, in, out)
	}
}

func play(ctx context.Context, role string, roles map[string]Role) error {
	do, ok := roles[role]
	if !ok {
		return fmt.Errorf("%s is %q", roleVariable, role)
	}
	return do(ctx, []byte(os.Getenv(jobVariable)), os.Stdin, os.Stdout)
}

// Serve is the rest of a role that has started a server: it tells the parent
// where that is, as a line of JSON, and returns when in ends. The server need
// not be stopped, it ends with the process.
func Serve(where any, in io.Reader, out io.Writer) error {
	if err := json.NewEncoder(out).Encode(where); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, in)
	return err
}
