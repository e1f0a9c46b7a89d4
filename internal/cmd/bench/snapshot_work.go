package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

const (
	snapshotSaves = 60_000
	snapshotLaps  = 6
)

// snapshot measures saves under a fence while another transaction keeps a
// snapshot open, as a backup or a report does, so that no old version of the
// fence's row can be cleared away.
func (b *bench) snapshot(ctx context.Context) error {
	lap := b.scale(snapshotSaves, 600) / snapshotLaps
	t := table{
		title: "The fence under an old snapshot", how: fmt.Sprintf(
			"One caller saves an existing row of a thousand under a fence by hand, %d times, with and without a transaction of isolation REPEATABLE READ that "+
				"has read before and stays open. Shown are the microseconds for a save, the median of each lap. Under the snapshot the saved rows grow too; "+
				"that is what is left of the difference.", lap*snapshotLaps),
		head: []string{"µs for each save, after saves"},
	}
	for n := range snapshotLaps {
		t.head = append(t.head, strconv.Itoa((n+1)*lap))
	}
	for _, k := range storeKinds() {
		if k.name != "PostgreSQL" && k.name != "MySQL or MariaDB" {
			continue // SQLite has one version of a page for all; the stand-in is no MongoDB
		}
		if k.missing() {
			t.notes = append(t.notes, k.name+": not measured, "+k.variable+" was not set")
			continue
		}
		for _, old := range []bool{false, true} {
			name := k.name + map[bool]string{false: ", no snapshot", true: ", old snapshot"}[old]
			b.say("snapshot: %s", name)
			laps, err := snapshotLapsOn(ctx, k, old, lap)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			row := []string{name}
			for _, us := range laps {
				row = append(row, number(us))
			}
			t.rows = append(t.rows, row)
		}
	}
	b.table(t)
	return nil
}

func snapshotLapsOn(ctx context.Context, k storeKind, old bool, lap int) (laps []float64, err error) {
	s, err := k.open(ctx, "")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeStore(ctx, s)) }()
	records, err := s.repository()
	if err != nil {
		return nil, err
	}
	rows := make([]*record, 1000)
	for i := range rows {
		rows[i] = &record{ID: int64(i + 1)}
	}
	if err := records.SaveAll(ctx, rows); err != nil {
		return nil, err
	}
	if old {
		tx := s.db.WithContext(ctx).Begin(&sql.TxOptions{Isolation: sql.LevelRepeatableRead})
		defer tx.Rollback()
		var n int64
		if err := errors.Join(tx.Error, tx.Model(&record{}).Count(&n).Error); err != nil {
			return nil, err
		}
	}
	ctx = driver.WithFence(ctx, &handFence{claim: repo.Claim{Key: uniqueName("snapshot"), Token: 1, Owner: uniqueName("owner"), Sub: 1 << 32}})
	for range snapshotLaps {
		times := make([]float64, lap)
		for i := range times {
			began := time.Now()
			if err := records.Save(ctx, rows[i%len(rows)]); err != nil {
				return nil, err
			}
			times[i] = micros(time.Since(began))
		}
		slices.Sort(times)
		laps = append(laps, times[len(times)/2])
	}
	return laps, nil
}
