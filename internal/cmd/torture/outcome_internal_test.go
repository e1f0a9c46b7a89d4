package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/repo"
)

func TestKindsOf(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want []string
	}{
		"Fenced":       {fmt.Errorf("saving: %w", &repo.FencedError{}), []string{ofFenced}},
		"LostAndEnded": {fmt.Errorf("%w: %w", etcdlock.ErrLost, context.Canceled), []string{ofLost, ofCancel}},
		"Database":     {fmt.Errorf("saving: %w", &pgconn.PgError{Code: "57014"}), []string{ofDatabase}},
		"Network":      {&net.OpError{Op: "read", Err: errors.New("reset")}, []string{ofDatabase}},
		// A deadline of the caller's own is no fault of the network.
		"Deadline": {fmt.Errorf("saving: %w", context.DeadlineExceeded), []string{ofDeadline}},
		"Untyped":  {errors.New("something went wrong"), nil},
	} {
		if got := kindsOf(c.err); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestOutcomeOf(t *testing.T) {
	for name, c := range map[string]struct {
		written bool
		err     error
		want    string
	}{
		"Done":            {true, nil, isDone},
		"DoneAndThenLost": {true, etcdlock.ErrLost, isDone},
		"Unknown":         {false, &repo.UnknownError{Op: "1", Err: errors.New("gone")}, isUnknown},
		"Refused":         {false, repo.ErrFenced, isRefused},
		"Ended":           {false, context.Canceled, isRefused},
	} {
		if got := outcomeOf(c.written, c.err); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}
