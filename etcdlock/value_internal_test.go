package etcdlock

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Values of earlier builds, and of later ones with fields that nobody here knows, are read;
// and earlier builds, which look for a successor in front, find it.
func TestValue_OtherBuilds(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]owner{
		`{"successor":"5","host":"h","pid":7,"since":"2026-01-02T03:04:05Z"}`:   {Successor: "5", Host: "h", PID: 7, Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		`{"v":9,"host":"h","pid":7,"more":{"x":[1]},"lingers":true,"data":"d"}`: {Version: 9, Host: "h", PID: 7, Lingers: true, Data: "d"},
		``:                   {},
		`not JSON`:           {},
		`{"host":"h"`:        {},
		`{"successor":"5","`: {},
		`{"pid":"seven"`:     {},
	} {
		if got := ownerIn([]byte(value)); got != want {
			t.Errorf("%s reads as %+v", value, got)
		}
	}
	l, _ := newTestLocker(t, &Options{Data: "d"})
	value := l.ownerData(owner{Successor: "5"})
	if !strings.HasPrefix(value, `{"successor":"5",`) || !json.Valid([]byte(value)) || !strings.Contains(value, `"v":1`) {
		t.Errorf("wrote %s", value)
	}
}

// Data of one's own is shown wherever a Holder is.
func TestData(t *testing.T) {
	t.Parallel()
	const data = "job 7 \"ä\"\n"
	srv := newServer(t)
	l, other := lockerOn(t, srv, &Options{Data: data}, nil, nil), lockerOn(t, srv, nil, nil, nil)
	k := lockNow(t, l, "n")
	term, err := l.LockWithTTL(t.Context(), time.Minute, "t")
	if err != nil {
		t.Fatal(err)
	}
	if err := term.Extend(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	listed, err := other.List(t.Context())
	if err != nil || len(listed) != 2 {
		t.Fatalf("listed %v, %v", listed, err)
	}
	for _, h := range listed {
		if h.Data != data {
			t.Errorf("%q has the data %q", h.Name, h.Data)
		}
	}
	_, err = other.TryLock(t.Context(), "t")
	var held *heldError
	if !errors.As(err, &held) || held.by.Data != data {
		t.Errorf("a try: %v", err)
	}
	unlockNow(t, k)
	unlockNow(t, term)
	if resp, err := l.cli.Get(t.Context(), l.Path("t"), clientv3.WithPrefix()); err != nil || resp.Count != 0 {
		t.Errorf("left %v, %v", resp, err)
	}
}
