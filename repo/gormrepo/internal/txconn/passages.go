package txconn

import (
	"context"
	"sync/atomic"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// Passages counts the statements of one connection: those that it saw, and those
// that GORM says it has run. A plugin that sends one elsewhere shows in the difference.
type Passages struct {
	ran, reported atomic.Int64
	// open is how many callers run a statement of GORM now.
	open atomic.Int64
}

// Counter is a connection with Passages.
type Counter interface{ counts() *Passages }

func (p *Passages) counts() *Passages { return p }

func (p *Passages) passed() { p.ran.Add(1) }

// Ran tells whether any statement came here.
func (p *Passages) Ran() bool { return p.ran.Load() > 0 }

// Through calls run, which runs one statement of GORM and what GORM adds to it for
// preloads and associations, and tells whether one of them ran elsewhere. run returns
// false when it failed.
func Through(c Counter, run func() bool) (elsewhere bool) {
	p := c.counts()
	alone := p.open.Add(1) == 1
	defer p.open.Add(-1)
	ran, reported := p.ran.Load(), p.reported.Load()
	ok := run()
	ran, reported = p.ran.Load()-ran, p.reported.Load()-reported
	return ok && (ran == 0 || alone && ran < reported)
}

// Reporter is a logger that counts what GORM reports to it for a connection.
func Reporter(l logger.Interface, c Counter) logger.Interface { return reporter{l, c.counts()} }

type reporter struct {
	logger.Interface
	passages *Passages
}

// Trace is called by GORM after each statement.
func (r reporter) Trace(ctx context.Context, begin time.Time, text func() (string, int64), err error) {
	if err == nil {
		r.passages.reported.Add(1)
	}
	r.Interface.Trace(ctx, begin, text, err)
}

// ParamsFilter forwards what hides values in logs.
func (r reporter) ParamsFilter(ctx context.Context, text string, params ...any) (string, []any) {
	if filter, ok := r.Interface.(gorm.ParamsFilter); ok {
		return filter.ParamsFilter(ctx, text, params...)
	}
	return text, params
}

// LogMode keeps the counter.
func (r reporter) LogMode(level logger.LogLevel) logger.Interface {
	return reporter{r.Interface.LogMode(level), r.passages}
}
