package etcdlock_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock"
)

func TestNew_ChecksItsArguments(t *testing.T) {
	t.Parallel()
	// New does no I/O, so a client that leads nowhere will do.
	cli, err := clientv3.New(clientv3.Config{Endpoints: []string{"127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer cli.Close()

	for name, opts := range map[string]etcdlock.Options{
		"TTL under the minimum":        {TTL: time.Second},
		"TTL negative":                 {TTL: -10 * time.Second},
		"TTL with a fraction":          {TTL: 2500 * time.Millisecond},
		"TTL too long for etcd":        {TTL: 1 << 62},
		"RequestTimeout negative":      {RequestTimeout: -1},
		"Namespace of slashes":         {Namespace: "//"},
		"Namespace blank":              {Namespace: " "},
		"Namespace of blank parts":     {Namespace: "/ / /"},
		"Namespace with a space":       {Namespace: "shop "},
		"Namespace with a space in":    {Namespace: "shop/ locks"},
		"Namespace with an empty part": {Namespace: "shop//locks"},
		"Namespace with a line end":    {Namespace: "sh\nop"},
		"Namespace not UTF-8":          {Namespace: "a\xff"},
		"Namespace of the sessions":    {Namespace: "holdfast/.session"},
		"Namespace below theirs":       {Namespace: "holdfast/.session/x/"},
		"Namespace of raw names":       {Namespace: "shop/", RawNames: true},
		"MaxHold negative, no linger":  {MaxHold: -1, Linger: etcdlock.NoLinger},
		"Linger negative":              {Linger: -2},
		"Data not UTF-8":               {Data: "\xff"},
		"Data too long":                {Data: strings.Repeat("d", 1025)},
		"Service not UTF-8":            {Service: "\xff"},
		"two mistakes, one at a time":  {TTL: 1, Service: "\xff"},
	} {
		if l, err := etcdlock.New(cli, &opts); !errors.Is(err, etcdlock.ErrInvalid) || l != nil {
			t.Errorf("%s: %v, %v", name, l, err)
		}
	}
	for name, opts := range map[string]*etcdlock.Options{
		"nil":            nil,
		"zero":           {},
		"all set":        {Namespace: "shop/locks", TTL: 2 * time.Second, Service: "billing", RequestTimeout: time.Second},
		"a slash first":  {Namespace: "/shop/"},
		"a space within": {Namespace: "my shop/locks"},
		"raw names":      {RawNames: true},
	} {
		var before etcdlock.Options
		if opts != nil {
			before = *opts
		}
		l, err := etcdlock.New(cli, opts)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if opts != nil && *opts != before {
			t.Errorf("%s: New wrote to the options: %+v", name, *opts)
		}
		if err := l.Close(context.Background()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, cli := range map[string]*clientv3.Client{"nil": nil, "without services": clientv3.NewCtxClient(t.Context())} {
		if _, err := etcdlock.New(cli, nil); !errors.Is(err, etcdlock.ErrInvalid) {
			t.Errorf("%s client: %v", name, err)
		}
	}
}

// With a client that is closed or leads nowhere, calls that are bounded by
// themselves return, and so does Close.
func TestLocker_ClosedClient(t *testing.T) {
	t.Parallel()
	cli, err := clientv3.New(clientv3.Config{Endpoints: []string{"127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := etcdlock.New(cli, nil)
	if err != nil {
		t.Fatal(err)
	}
	cli.Close()
	if _, err := l.TryLock(t.Context(), "n"); !errors.Is(err, etcdlock.ErrUnavailable) {
		t.Errorf("TryLock: %v", err)
	}
	if _, err := l.Lock(t.Context(), "n"); !errors.Is(err, etcdlock.ErrUnavailable) {
		t.Errorf("Lock: %v", err)
	}
	if err := l.Close(t.Context()); err != nil {
		t.Errorf("Close: %v", err)
	}
}
