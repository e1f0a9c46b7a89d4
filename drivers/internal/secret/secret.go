package secret

import (
	"errors"
	"strings"
)

// Mask stands where a secret is.
const Mask = "xxxxx"

// Scrub hides secrets in the text of err, whatever put them there. The cause
// stays matchable.
func Scrub(err error, secrets ...string) error {
	if err == nil {
		return nil
	}
	text := scrubText(err.Error(), secrets...)
	if text == err.Error() {
		return err
	}
	return &scrubbedError{text: text, cause: err}
}

func scrubText(text string, secrets ...string) string {
	for _, s := range secrets {
		// A password of one or two letters is in every text by chance; hiding
		// it would show where it stands.
		if len(s) > 2 {
			text = strings.ReplaceAll(text, s, Mask)
		}
	}
	return text
}

// scrubbedError lets the cause be matched but not reached: Unwrap would hand
// out the text that was scrubbed.
type scrubbedError struct {
	text  string
	cause error
}

func (e *scrubbedError) Error() string        { return e.text }
func (e *scrubbedError) Is(target error) bool { return errors.Is(e.cause, target) }
func (e *scrubbedError) As(target any) bool   { return errors.As(e.cause, target) }
