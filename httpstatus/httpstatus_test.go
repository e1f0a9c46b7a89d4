package httpstatus_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/httpstatus"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

type order struct {
	ID    int64
	Buyer string
}

func Example() {
	orders, err := memrepo.New[order](nil)
	if err != nil {
		log.Fatal(err)
	}
	get := func(w http.ResponseWriter, r *http.Request) {
		o, err := orders.FindByID(r.Context(), 7)
		if status := httpstatus.Of(err); status != http.StatusOK {
			log.Print(err)
			http.Error(w, http.StatusText(status), status)
			return
		}
		fmt.Fprintln(w, o.Buyer)
	}
	log.SetOutput(os.Stdout)
	log.SetFlags(0)
	answer := httptest.NewRecorder()
	get(answer, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/orders/7", http.NoBody))
	fmt.Print(answer.Code, " ", answer.Body)
	// Output:
	// memrepo: find by id: repo: not found: httpstatus_test.order 7
	// 404 Not Found
}

// sentinels are all that the page of errors must have a row for.
func sentinels() map[string]error {
	return map[string]error{
		"lockedrepo.ErrRelease":   lockedrepo.ErrRelease,
		"repo.ErrNotFound":        repo.ErrNotFound,
		"repo.ErrEmptySave":       repo.ErrEmptySave,
		"repo.ErrTooMany":         repo.ErrTooMany,
		"repo.ErrInvalid":         repo.ErrInvalid,
		"repo.ErrCursor":          repo.ErrCursor,
		"repo.ErrDuplicateKey":    repo.ErrDuplicateKey,
		"repo.ErrStale":           repo.ErrStale,
		"repo.ErrFenced":          repo.ErrFenced,
		"repo.ErrBusy":            repo.ErrBusy,
		"repo.ErrRolledBack":      repo.ErrRolledBack,
		"repo.ErrUnknown":         repo.ErrUnknown,
		"repo.ErrRegressed":       repo.ErrRegressed,
		"repo.ErrWrongKey":        repo.ErrWrongKey,
		"repo.ErrDenied":          repo.ErrDenied,
		"repo.ErrInTx":            repo.ErrInTx,
		"lockedrepo.ErrStripes":   lockedrepo.ErrStripes,
		"repo.ErrUnsupported":     repo.ErrUnsupported,
		"etcdlock.ErrTimeout":     etcdlock.ErrTimeout,
		"etcdlock.ErrHeld":        etcdlock.ErrHeld,
		"etcdlock.ErrUnavailable": etcdlock.ErrUnavailable,
		"etcdlock.ErrRefused":     etcdlock.ErrRefused,
		"etcdlock.ErrLost":        etcdlock.ErrLost,
		"etcdlock.ErrOrder":       etcdlock.ErrOrder,
		"etcdlock.ErrClosed":      etcdlock.ErrClosed,
		"etcdlock.ErrInvalid":     etcdlock.ErrInvalid,
		"etcdlock.ErrUnsupported": etcdlock.ErrUnsupported,
	}
}

// The page says what Of returns, and both know every sentinel of the packages.
func TestStatusesAreThoseOfThePage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "docs", "errors.md"))
	if err != nil {
		t.Fatal(err)
	}
	all := sentinels()
	rows := regexp.MustCompile("(?m)^\\| `((?:repo|lockedrepo|etcdlock)\\.Err\\w+)` .*\\| (.+?) \\|\r?$").FindAllStringSubmatch(string(page), -1)
	for _, r := range rows {
		sentinel, known := all[r[1]]
		if !known {
			t.Errorf("the page has a row for %s, which this test does not know", r[1])
			continue
		}
		if got := strconv.Itoa(httpstatus.Of(fmt.Errorf("doing: %w", sentinel))); got != r[2] {
			t.Errorf("%s is %s here and %s on the page", r[1], got, r[2])
		}
		delete(all, r[1])
	}
	for name := range all {
		t.Errorf("the page has no row for %s", name)
	}
	declared := regexp.MustCompile(`(?m)^\t(Err[A-Z]\w*) += |^var (Err[A-Z]\w*) = `)
	for _, pkg := range []string{"repo", "lockedrepo", "etcdlock"} {
		files, err := filepath.Glob(filepath.Join("..", pkg, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%d files of %s, %v", len(files), pkg, err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
				if name := pkg + "." + strings.Join(m[1:], ""); sentinels()[name] == nil {
					t.Errorf("%s of %s is not in this test", name, filepath.Base(f))
				}
			}
		}
	}
}

func TestStatusOfErrorsThatMatchSeveralSentinels(t *testing.T) {
	t.Parallel()
	list := func(errs ...error) error {
		b := &repo.BatchError{}
		for i, err := range errs {
			b.Items = append(b.Items, &repo.ItemError{Index: i, Err: err})
		}
		return b
	}
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"None":                    {nil, 200},
		"Unknown":                 {errors.New("something else"), 500},
		"DoneButLost":             {fmt.Errorf("%w: %w", lockedrepo.ErrRelease, etcdlock.ErrLost), 200},
		"TimeoutOfAContext":       {fmt.Errorf("%w: %w", etcdlock.ErrTimeout, context.DeadlineExceeded), 503},
		"LostLockEndsAContext":    {fmt.Errorf("%w: %w", context.Canceled, etcdlock.ErrLost), 409},
		"ContextAlone":            {context.Canceled, 503},
		"RolledBackForNotFound":   {fmt.Errorf("%w: %w", repo.ErrRolledBack, repo.ErrNotFound), 409},
		"RolledBackForARight":     {fmt.Errorf("%w: %w", repo.ErrRolledBack, repo.ErrDenied), 500},
		"ListOfBadAndDuplicate":   {list(repo.ErrDuplicateKey, repo.ErrInvalid), 400},
		"ListOfDuplicateAndRight": {list(repo.ErrDuplicateKey, repo.ErrDenied), 500},
		"EmptyList":               {repo.ErrEmptySave, 400},
		"TypedFenced":             {&repo.FencedError{}, 409},
	} {
		t.Run(name, func(t *testing.T) {
			if got := httpstatus.Of(c.err); got != c.want {
				t.Errorf("%v is %d, want %d", c.err, got, c.want)
			}
		})
	}
}
