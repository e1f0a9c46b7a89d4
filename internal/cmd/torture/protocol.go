package main

import "time"

// kind is what an operation does.
type kind string

const (
	counting  kind = "count"  // adds one to a counter
	appending kind = "append" // appends its own name to a list
	moving    kind = "move"   // moves an amount from one account to another
	setting   kind = "set"    // gives a register a value that no other operation gives
	reading   kind = "read"   // reads a register without a lock
	// ignoring counts and appends in one transaction, whose callback takes no
	// notice of what fails between and after.
	ignoring kind = "ignore"
	// straggling appends in a transaction, and leaves goroutines that go on
	// saving when it ends.
	straggling kind = "straggle"
	// saving saves records that were not read, and entering entries.
	saving   kind = "save"
	entering kind = "enter"
)

// way is how an operation goes about it.
type way string

const (
	byUpdate way = "update" // Update: reads and writes in one transaction
	byDo     way = "do"     // reads and saves under one hold, each in a transaction of its own
	byTx     way = "tx"     // InTx around both

	bySave    way = "save"     // Save of one row that was not read
	bySaveAll way = "save all" // SaveAll of several
)

// order is what a worker is told.
type order struct {
	Do string
	// Op names the operation that is meant, or comes next.
	Op   string `json:",omitempty"`
	Step *step  `json:",omitempty"`
	Load *load  `json:",omitempty"`
}

const (
	doLoad   = "load"   // work until told otherwise
	doRest   = "rest"   // end the load
	doStep   = "step"   // one operation
	doGo     = "go"     // what waits between reading and writing may write
	doCancel = "cancel" // the context of an operation ends
	doReopen = "reopen" // close the locker and open another
)

// step is one operation that the run decides on.
type step struct {
	Kind kind
	How  way
	Key  string
	// List is the second key of ignoring, and Harm what fails in between.
	List string `json:",omitempty"`
	Harm harm   `json:",omitempty"`
	// Stop makes it wait for doGo between reading and writing.
	Stop bool
}

// load is what a worker does by itself.
type load struct {
	Callers int
	// Savers are callers that save what they have not read, and do nothing else.
	Savers int
	// Cancel is the part of the operations whose context ends halfway.
	Cancel float64
	// Spoil is the part whose own fault it is that they fail.
	Spoil float64
	// Straggle is the part that leaves goroutines behind.
	Straggle float64
	// Limit bounds each operation.
	Limit time.Duration
}

// report is what a worker says.
type report struct {
	What string
	Op   string   `json:",omitempty"`
	Kind kind     `json:",omitempty"`
	Keys []string `json:",omitempty"`
	How  way      `json:",omitempty"`
	// At is the wall clock in nanoseconds: all processes share it.
	At int64 `json:",omitempty"`
	// Old and New are what a counter or register was and became. A read has
	// New alone.
	Old, New int64  `json:",omitempty"`
	Err      string `json:",omitempty"`
	// ID is what the database knows an operation by whose outcome is unknown.
	ID string `json:",omitempty"`
	// Kinds are the documented errors that Err matches.
	Kinds []string `json:",omitempty"`
	// Batch is how many saves were in the largest batch of a save, IDs are the keys that
	// its entries were given, and Named the places of the rows that its error names.
	Batch int     `json:",omitempty"`
	IDs   []int64 `json:",omitempty"`
	Named []int   `json:",omitempty"`
}

const (
	isReady   = "ready"
	isStart   = "start"   // an operation begins
	isRead    = "read"    // it has read and waits
	isDone    = "done"    // it is acknowledged
	isRefused = "refused" // it is not, and did not happen
	isUnknown = "unknown" // it is not, and may have happened
	isResting = "resting" // the load has ended
	isLost    = "lost"    // a hold was lost
	isReopen  = "reopened"
	isLeak    = "leak"    // goroutines are left, or a context is another's
	isHarmed  = "harmed"  // a statement inside a transaction failed
	isLate    = "late"    // a goroutine of a transaction that is over was refused
	isSlipped = "slipped" // it was not
)

// workerJob is what a worker is given.
type workerJob struct {
	Index, Life int // which worker, and how often it was killed before
	Design      string
	Key         string // of the lock
	Place       place
	Endpoints   []string
	Namespace   string
	Seed        uint64
	Data        data
}

// data are the keys of what the operations work on.
type data struct {
	Counters, Lists, Accounts, Registers []string
	// Strangers are what others than the workers write.
	Strangers []string
}

// funds is what each account begins with.
const funds = 1000
