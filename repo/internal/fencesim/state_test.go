package fencesim_test

import "strings"

const maxWorkers = 3

// claim is repo.Claim, its Sub in two parts.
type claim struct{ token, owner, turn, attempt uint8 }

// rule says whether a claim is accepted in place of the stored one.
type rule func(stored, c claim) bool

func strictTriple(stored, c claim) bool {
	return stored.token < c.token || stored.token == c.token && stored.owner == c.owner && c.later(stored)
}

// later compares what grows within a hold.
func (c claim) later(than claim) bool {
	return than.turn < c.turn || than.turn == c.turn && than.attempt < c.attempt
}

// statement is something that a transaction does in the database.
type statement string

// The statements. Match is the raise of a document store that has raised and
// read before: it wants to find its own claim.
const (
	raise  statement = "raise"
	match  statement = "match"
	read   statement = "read"
	write  statement = "write"
	commit statement = "commit"
)

// program is a read-modify-write: transactions, of steps, of the statements
// which the database carries out at once.
type program [][][]statement

// parse reads a program: "|" between transactions, "+" between the statements of
// a step.
func parse(text string) program {
	var p program
	for tx := range strings.SplitSeq(text, " | ") {
		var steps [][]statement
		for step := range strings.FieldsSeq(tx) {
			var at []statement
			for st := range strings.SplitSeq(step, "+") {
				at = append(at, statement(st))
			}
			steps = append(steps, at)
		}
		p = append(p, steps)
	}
	return p
}

// config is who takes part, what can happen to them, and the protocol.
type config struct {
	processes []int     // of each worker
	programs  []program // of each worker
	tries     uint8     // read-modify-writes that each worker begins, until one is acknowledged
	faults    faults
	accept    rule
	flaw      flaw
}

// faults are counted down.
type faults struct {
	expires  uint8 // leases that end before their holder has let go
	restores uint8 // etcd goes back to its first revision, and its queue is empty
	aborts   uint8 // transactions that the database rolls back
	quits    uint8 // callers who go away from a transaction that is still to be decided
}

// flaw switches off parts of the protocol that are not the program's.
type flaw struct {
	refusedGoesOn bool // a refused raise is overlooked
	failedGoesOn  bool // so is one that failed
	noLookup      bool // nobody asks whether a lost commit happened
	sessionOwner  bool // the owner of a claim is that of the process, and not one of the hold alone
}

// state is everything: etcd, processes, workers, database.
type state struct {
	rev       uint8
	holds     uint8 // begun so far
	processes [maxWorkers]process
	workers   [maxWorkers]worker
	value     uint8            // the counter that everybody increments
	stored    claim            // the fence
	done      [maxWorkers]bool // whose increment is committed, by operation id
	left      faults
	disorder  bool // a claim was committed over one that it does not follow
}

type process struct {
	key  uint8 // create revision of its key in etcd's queue, 0 for none
	hold claim // the hold that it thinks it has; token 0 for none
}

type phase uint8

const (
	outside phase = iota // has no lock
	working              // has a turn, and a transaction under way
	unsure               // has a turn, and gave up on its transaction
	refused              // has a turn, and a newer claim was there
	acked                // has a turn, and its increment was acknowledged
	over                 // acknowledged, and the turn given back
)

type worker struct {
	phase  phase
	tries  uint8 // left
	at     claim // of the turn; the last attempt drawn
	tx     transaction
	orphan transaction // nobody waits for it, and it is decided some time
}

// transaction is one that runs. Nobody sees what it did before it commits.
type transaction struct {
	open   bool
	nth    uint8 // of the program
	next   uint8 // step
	claim  claim
	before claim // what match wants to find
	value  uint8 // as it was read
	raised bool  // its claim was accepted: the fence's row is locked
	wrote  bool  // the counter's row is locked
}

func (c *config) start() state {
	s := state{left: c.faults}
	for i := range c.processes {
		s.workers[i].tries = c.tries
	}
	return s
}

// committed counts the workers whose increment is in the database.
func (s *state) committed() (n uint8) {
	for _, d := range s.done {
		if d {
			n++
		}
	}
	return n
}

// others reports whether a transaction other than tx is one that f tells of.
func (s *state) others(tx *transaction, f func(*transaction) bool) bool {
	for i := range s.workers {
		w := &s.workers[i]
		if &w.tx != tx && w.tx.open && f(&w.tx) || &w.orphan != tx && w.orphan.open && f(&w.orphan) {
			return true
		}
	}
	return false
}

// busy reports whether somebody of the process has a turn.
func (c *config) busy(s *state, proc int) bool {
	for i, p := range c.processes {
		if ph := s.workers[i].phase; p == proc && ph != outside && ph != over {
			return true
		}
	}
	return false
}
