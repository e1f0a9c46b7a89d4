package gormrepo

import (
	"database/sql"
	"testing"
	"time"
)

func TestIdentityOfEqualKeys(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 2, 29, 12, 0, 0, 123, time.UTC)
	text := "a"
	for name, pair := range map[string][2]any{
		"Zones":    {at, at.In(time.FixedZone("x", 3600))},
		"Bytes":    {[]byte("a"), []byte("a")},
		"Pointers": {&text, func() *string { s := "a"; return &s }()},
		"Valuers":  {sql.NullString{String: "a", Valid: true}, sql.NullString{String: "a", Valid: true}},
		"NilBytes": {(*string)(nil), (*string)(nil)},
	} {
		if identity([]any{pair[0]}) != identity([]any{pair[1]}) || identity([]any{1, pair[0]}) != identity([]any{1, pair[1]}) {
			t.Errorf("%s: not the same", name)
		}
	}
	if identity([]any{"a", "b"}) == identity([]any{"ab", ""}) {
		t.Error("different keys are the same")
	}
}

func TestSnapshotValues(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	n := 7
	for name, c := range map[string]struct {
		a, b any
		same bool
	}{
		"Instants":      {at, at.In(time.FixedZone("x", 3600)), true},
		"Times":         {at, at.Add(1), false},
		"Pointer":       {&n, 7, true},
		"NilPointer":    {(*int)(nil), nil, true},
		"NilIsNotZero":  {(*int)(nil), 0, false},
		"Bytes":         {[]byte("a"), []byte("a"), true},
		"NilBytes":      {[]byte(nil), []byte{}, false},
		"Valuer":        {sql.NullInt64{Int64: 7, Valid: true}, sql.NullInt64{Int64: 7, Valid: true}, true},
		"InvalidValuer": {sql.NullInt64{Int64: 7}, nil, true},
		"Uncomparable":  {[]int{1}, []int{1}, false},
	} {
		if got := sameValue(plainValue(c.a), plainValue(c.b)); got != c.same {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
