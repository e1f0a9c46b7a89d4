package drivers

import (
	"errors"
	"testing"
)

func TestEtcdStorage_Warnings(t *testing.T) {
	t.Parallel()
	const gib = 1 << 30
	for name, c := range map[string]struct {
		s    EtcdStorage
		want []error
	}{
		"Unknown":           {EtcdStorage{}, nil},
		"Young":             {EtcdStorage{Revision: 100, Size: 1 << 20, Quota: 2 * gib}, nil},
		"NeverCompacted":    {EtcdStorage{Revision: 101}, []error{ErrHistory}},
		"CompactedLately":   {EtcdStorage{Revision: 1_000_000, Compacted: 999_000}, nil},
		"CompactedLongAgo":  {EtcdStorage{Revision: 1_000_000, Compacted: 998_999}, []error{ErrHistory}},
		"NearlyFull":        {EtcdStorage{Revision: 5, Size: 9 * gib / 5, Quota: 2 * gib}, []error{ErrSpace}},
		"FreePagesCount":    {EtcdStorage{Revision: 5, Size: 9 * gib / 5, InUse: gib / 5, Quota: 2 * gib}, []error{ErrSpace}},
		"QuotaUnknown":      {EtcdStorage{Revision: 5, Size: 9 * gib / 5}, nil},
		"HistoryFillsQuota": {EtcdStorage{Revision: 5000, Size: 2 * gib, InUse: 2 * gib, Quota: 2 * gib}, []error{ErrHistory, ErrSpace}},
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
