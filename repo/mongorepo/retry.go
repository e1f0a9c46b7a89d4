package mongorepo

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/holdfast-go/holdfast/repo/driver"
)

// Update starts over at most this often. Each time somebody else has saved the
// entity, so only a document that never equals itself gets here.
const (
	updateTries  = 1000
	longestPause = 20 * time.Millisecond
)

// pause waits a random while that grows with the tries, so that many updaters
// of one document get out of each other's way.
func pause(ctx context.Context, try int) error {
	longest := min(time.Millisecond<<min(try, 10), longestPause)
	timer := time.NewTimer(rand.N(longest))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return driver.Ended(ctx)
	}
}
