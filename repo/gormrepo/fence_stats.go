package gormrepo

import (
	"context"
	"fmt"
	"time"

	"github.com/samber/lo"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/fence"
)

// FenceStat is what is in the tables of one fence.
type FenceStat struct {
	// Schema is where it is, empty for the one of the connection.
	Schema string
	// Keys is the number of locks that were shown to it.
	Keys int64
	// Epoch is how often AdvanceEpoch was called.
	Epoch int64
	// Ops is the number of notes about writes, and Oldest when the first of them
	// began; zero where there is none. Notes much older than Options.KeepOps mean
	// that nobody deletes them.
	Ops    int64
	Oldest time.Time
	// Pruned is the time before which notes were deleted.
	Pruned time.Time
}

// FenceStats returns the figures of each fence; the schemas are those of
// MigrateFence. It counts the notes, which takes some tenths of a second for a
// million of them.
func FenceStats(ctx context.Context, db *gorm.DB, schemas ...string) ([]FenceStat, error) {
	stats, err := fence.Stats(ctx, db, schemas)
	if err != nil {
		return nil, fenceError("fence stats", fence.Denied(err))
	}
	return lo.Map(stats, func(s fence.Stat, _ int) FenceStat { return FenceStat(s) }), nil
}

const (
	// staleOps is the age of notes at which nobody seems to delete them: twice
	// what repositories keep by default.
	staleOps = 2 * DefaultKeepOps
	// oldSnapshot is the age at which a snapshot is told of.
	oldSnapshot = 10 * time.Minute
)

// FenceWarning says what makes a fence slow or large.
type FenceWarning struct {
	// Schema is where the fence is, empty for the one of the connection.
	Schema string
	// Text says what was found and what to do.
	Text string
}

// String is the text, with the schema.
func (w FenceWarning) String() string {
	if w.Schema == "" {
		return w.Text
	}
	return fmt.Sprintf("schema %q: %s", w.Schema, w.Text)
}

// CheckFence looks for what makes fences slow or large and needs a person: notes
// of writes that nobody deletes, and on PostgreSQL a snapshot that has been open
// for more than ten minutes, which keeps all dead rows of the database. A role
// sees the snapshots of others only as a member of pg_read_all_stats. The schemas
// are those of MigrateFence.
func CheckFence(ctx context.Context, db *gorm.DB, schemas ...string) ([]FenceWarning, error) {
	stats, err := FenceStats(ctx, db, schemas...)
	if err != nil {
		return nil, err
	}
	var found []FenceWarning
	for _, s := range stats {
		if age := time.Since(s.Oldest); !s.Oldest.IsZero() && age > staleOps {
			found = append(found, FenceWarning{s.Schema, fmt.Sprintf("the oldest of %d notes of writes is %v old: nobody deletes them; call PruneOps, or let repositories do it (Options.KeepOps)",
				s.Ops, age.Round(time.Hour))})
		}
	}
	age, err := fence.OldestSnapshot(ctx, db)
	if err != nil {
		return nil, fenceError("check fence", err)
	}
	if age > oldSnapshot {
		found = append(found, FenceWarning{Text: fmt.Sprintf("a snapshot has been open for %v: until it ends, no dead row of the database is cleared away", age.Round(time.Second))})
	}
	return found, nil
}
