package secret

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
)

func TestScrub(t *testing.T) {
	t.Parallel()
	cause := &fs.PathError{Op: "open", Path: "/x/s3cr!t~canary", Err: fs.ErrNotExist}
	err := Scrub(cause, "", "s3cr!t~canary")
	if strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "open /x/"+Mask) {
		t.Error(err)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		t.Error("the cause does not match any more")
	}
	if _, ok := errors.AsType[*fs.PathError](err); !ok {
		t.Error("the type of the cause does not match any more")
	}
	if errors.Unwrap(err) != nil {
		t.Error("the text of the cause can be reached")
	}
	if got := Scrub(cause, "other").Error(); got != cause.Error() {
		t.Errorf("changed without need: %s", got)
	}
	if Scrub(nil, "x") != nil {
		t.Error("nil became an error")
	}
}
