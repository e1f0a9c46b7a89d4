package lockedrepos_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/children"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// signpost is an entity whose saves cannot overlap unnoticed: each puts up a
// file that must not be there and takes it down.
type signpost struct {
	ID    string `gorm:"primaryKey" json:"id"`
	Where string `gorm:"-"          json:"where"`
}

func (s *signpost) BeforeSave(*gorm.DB) error {
	f, err := os.OpenFile(s.Where, os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return errOverlap
	}
	if err != nil {
		return err
	}
	<-time.After(time.Millisecond) // the time that saving a larger list takes
	return f.Close()
}

func (s *signpost) AfterSave(*gorm.DB) error { return os.Remove(s.Where) }

var errOverlap = errors.New("two saves at the same time")

const signpostSaves = 40

// saveSignposts is the child program "signposts". It calls SmartSave over and over, and
// has a database of its own, so that nothing but the lock keeps it from the others.
// It prints the number of saves that met another.
func saveSignposts(args []string) error {
	endpoints, namespace, file, dir, locked := args[0], args[1], args[2], args[3], args[4] == "true"
	ctx := context.Background()
	db, err := drivers.OpenSQL(ctx, drivers.SQLConfig{Dialect: drivers.SQLite, DSN: file})
	if err != nil {
		return err
	}
	if err := errors.Join(db.AutoMigrate(&signpost{}), gormrepo.MigrateFence(ctx, db)); err != nil {
		return err
	}
	plain, err := gormrepo.New[signpost](db, nil)
	if err != nil {
		return err
	}
	var r repo.Repository[signpost] = plain
	if locked {
		client, err := clientv3.New(clientv3.Config{Endpoints: strings.Split(endpoints, ","), Logger: zap.NewNop()})
		if err != nil {
			return err
		}
		defer client.Close()
		locker, err := etcdlock.New(client, &etcdlock.Options{Namespace: namespace})
		if err != nil {
			return err
		}
		defer func() { _ = locker.Close(ctx) }()
		if r, err = lockedrepo.New(plain, locker, nil); err != nil { // the key is the type's name
			return err
		}
	}
	overlaps := 0
	for i := range signpostSaves {
		doc := fmt.Sprintf(`{"id": "%d", "where": %q}`, i, filepath.ToSlash(filepath.Join(dir, "up")))
		_, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{doc}})
		switch {
		case errors.Is(err, errOverlap):
			overlaps++
		case err != nil:
			return err
		}
	}
	fmt.Println(overlaps)
	return nil
}

// The fourth scenario of the starters: smartSave under a lock named after the
// entity type, from several processes.
func TestScenario_SmartSaveFromSeveralProcesses(t *testing.T) {
	t.Parallel()
	for _, locked := range []bool{false, true} {
		t.Run("Locked="+strconv.FormatBool(locked), func(t *testing.T) {
			ctx := check.Bounded(t, 2*time.Minute)
			f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
			dir := t.TempDir()
			overlaps := make([]int, 3)
			var processes errgroup.Group
			for i := range overlaps {
				cmd := children.Command(ctx, t, "signposts", strings.Join(f.Endpoints, ","), f.Namespace,
					filepath.Join(dir, fmt.Sprintf("%d.db", i)), dir, strconv.FormatBool(locked))
				cmd.Stderr = os.Stderr
				processes.Go(func() error {
					out, err := cmd.Output()
					if err != nil {
						return err
					}
					overlaps[i], err = strconv.Atoi(strings.TrimSpace(string(out)))
					return err
				})
			}
			if err := processes.Wait(); err != nil {
				t.Fatal(err)
			}
			total := overlaps[0] + overlaps[1] + overlaps[2]
			t.Logf("%d of %d saves met another", total, 3*signpostSaves)
			if locked && total > 0 {
				t.Error("the lock did not keep the saves apart")
			}
			if !locked && total == 0 {
				t.Error("without the lock no save met another: the test would not notice a broken lock")
			}
		})
	}
}
