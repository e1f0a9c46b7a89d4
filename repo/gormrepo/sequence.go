package gormrepo

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
)

// Sequence says from which sequence keys are taken, as Hibernate 6 and Spring Boot
// take them with GenerationType.SEQUENCE or AUTO: by the pooled optimizer, to which a
// value n stands for the keys n-49 to n. A program in Java and one in Go that write
// the same table never make the same key.
//
// A repository asks the database once for Increment keys, for more in one go when a
// list needs them, and keeps what is left for later. What a process has not used when
// it ends is lost, as with Hibernate. On PostgreSQL and MariaDB it is a sequence, on
// MySQL, and where a MariaDB has that, a table with the column next_val. SQLite has
// neither. Inside of InTx the keys are not given back by a rollback. With such a table
// they are taken on a connection of their own.
type Sequence struct {
	// Name is that of the sequence or the table, by default the name of the entity's
	// table and "_seq". Spring Boot has it so; without Spring's naming Hibernate
	// writes "_SEQ", which matters on MySQL and MariaDB.
	Name string

	// Increment is how many keys a value stands for, by default 50: the
	// allocationSize of @SequenceGenerator. Where the database knows how the sequence
	// counts, another one is repo.ErrInvalid at the first use.
	Increment int64

	// Initial is the first value, which stands for itself alone, by default 1: the
	// initialValue of @SequenceGenerator.
	Initial int64
}

func (s Sequence) check(m *model, d dialect) error {
	switch {
	case d.name == sqlite:
		return fmt.Errorf("%w: a Sequence on SQLite", repo.ErrUnsupported)
	case !m.isInt || len(m.made) == 0:
		return fmt.Errorf("%w: a Sequence for %s, whose key is not one integer that is made", repo.ErrInvalid, m.entity.Type)
	case s.Increment < 0 || s.Initial < 0:
		return fmt.Errorf("%w: a Sequence with the increment %d from %d", repo.ErrInvalid, s.Increment, s.Initial)
	default:
		return nil
	}
}

// block is a row of keys, from the first to the last.
type block struct{ next, last int64 }

// sequence hands out the keys of a Sequence.
type sequence struct {
	Sequence
	quoted  string
	dialect string
	// turn has one value while nobody takes keys.
	turn chan struct{}
	// left are the keys that were not used yet, checked tells that the sequence
	// counts as it should, and table that it is a table.
	left    []block
	checked bool
	table   bool
}

func newSequence(s Sequence, db *gorm.DB, sc *schema.Schema, d dialect) *sequence {
	if s.Name == "" {
		s.Name = sc.Table + "_seq"
	}
	if s.Increment == 0 {
		s.Increment = 50
	}
	if s.Initial == 0 {
		s.Initial = 1
	}
	seq := &sequence{Sequence: s, dialect: d.name, quoted: db.Statement.Quote(clause.Table{Name: s.Name}), turn: make(chan struct{}, 1)}
	seq.turn <- struct{}{}
	return seq
}

// take returns n keys. on is the connection of the call, apart one for the table of
// MySQL, whose row would stay locked for as long as a transaction.
func (s *sequence) take(ctx context.Context, n int, on, apart gorm.ConnPool) ([]int64, error) {
	select {
	case <-s.turn:
		defer func() { s.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, driver.Ended(ctx)
	}
	keys := make([]int64, 0, n)
	for {
		for len(s.left) > 0 && len(keys) < n {
			b := &s.left[0]
			keys = append(keys, b.next)
			if b.next++; b.next > b.last {
				s.left = slices.Delete(s.left, 0, 1)
			}
		}
		if len(keys) == n {
			return keys, nil
		}
		missing := int64(n - len(keys))
		values, err := s.draw(ctx, (missing+s.Increment-1)/s.Increment, on, apart)
		if err != nil {
			return nil, fmt.Errorf("taking keys from %s: %w", s.Name, err)
		}
		for _, v := range values {
			first := v - s.Increment + 1
			if v == s.Initial {
				first = v
			}
			s.left = append(s.left, block{first, v})
		}
	}
}

// draw takes some values.
func (s *sequence) draw(ctx context.Context, values int64, on, apart gorm.ConnPool) ([]int64, error) {
	if !s.checked {
		if err := s.look(ctx, on); err != nil {
			return nil, err
		}
		s.checked = true
	}
	switch {
	case s.dialect == postgres:
		return scanned(on.QueryContext(ctx, "SELECT nextval(CAST($1 AS regclass)) FROM generate_series(1, $2)", s.quoted, values))
	case !s.table:
		return scanned(on.QueryContext(ctx, "SELECT NEXTVAL("+s.quoted+")"))
	}
	if apart == nil {
		return nil, fmt.Errorf("%w: inside of a transaction, without a second connection", repo.ErrUnsupported)
	}
	// It is one statement and so a transaction: what another process sees is over.
	res, err := apart.ExecContext(ctx, fmt.Sprintf("UPDATE %s SET next_val = LAST_INSERT_ID(next_val) + %d", s.quoted, values*s.Increment))
	n, err := dberr.Affected(res, err)
	if err != nil {
		return nil, err
	}
	if n != 1 {
		return nil, fmt.Errorf("%w: the table has %d rows, want one", repo.ErrInvalid, n)
	}
	first, err := res.LastInsertId()
	list := make([]int64, values)
	for i := range list {
		list[i] = first + int64(i)*s.Increment
	}
	return list, err
}

// look finds out what the sequence is and how it counts.
func (s *sequence) look(ctx context.Context, on gorm.ConnPool) error {
	query, args := "SELECT increment FROM "+s.quoted, []any(nil)
	if s.dialect == postgres {
		query, args = "SELECT seqincrement FROM pg_sequence WHERE seqrelid = CAST($1 AS regclass)", []any{s.quoted}
	}
	list, err := scanned(on.QueryContext(ctx, query, args...))
	if s.dialect == mysql && dberr.MySQL(err) == 1054 { // no such column
		s.table = true
		return nil
	}
	switch {
	case err != nil:
		return err
	case len(list) != 1:
		return fmt.Errorf("%w: it is no sequence", repo.ErrInvalid)
	case list[0] != s.Increment:
		return fmt.Errorf("%w: it counts by %d, not by %d", repo.ErrInvalid, list[0], s.Increment)
	default:
		return nil
	}
}

func scanned(rows *sql.Rows, err error) ([]int64, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []int64
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	return list, rows.Err()
}
