package etcd

import (
	"errors"
	"testing"
)

func TestStorage_Warnings(t *testing.T) {
	t.Parallel()
	const gib = 1 << 30
	for name, c := range map[string]struct {
		s    Storage
		want []error
	}{
		"Unknown":           {Storage{}, nil},
		"Young":             {Storage{Revision: 100, Size: 1 << 20, Quota: 2 * gib}, nil},
		"NeverCompacted":    {Storage{Revision: 101}, []error{ErrHistory}},
		"CompactedLately":   {Storage{Revision: 1_000_000, Compacted: 999_000}, nil},
		"CompactedLongAgo":  {Storage{Revision: 1_000_000, Compacted: 998_999}, []error{ErrHistory}},
		"NearlyFull":        {Storage{Revision: 5, Size: 9 * gib / 5, Quota: 2 * gib}, []error{ErrSpace}},
		"FreePagesCount":    {Storage{Revision: 5, Size: 9 * gib / 5, InUse: gib / 5, Quota: 2 * gib}, []error{ErrSpace}},
		"QuotaUnknown":      {Storage{Revision: 5, Size: 9 * gib / 5}, nil},
		"HistoryFillsQuota": {Storage{Revision: 5000, Size: 2 * gib, InUse: 2 * gib, Quota: 2 * gib}, []error{ErrHistory, ErrSpace}},
	} {
		got := c.s.warnings(100, 1000)
		ok := len(got) == len(c.want)
		for i := 0; ok && i < len(got); i++ {
			ok = errors.Is(got[i], c.want[i])
		}
		if !ok {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
