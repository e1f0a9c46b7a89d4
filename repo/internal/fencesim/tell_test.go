package fencesim_test

import (
	"fmt"
	"strings"
)

// tell describes a step by the states before and after it.
func (c *config) tell(before, after *state, st step) string {
	name := string(rune('A' + st.n))
	at := after.workers[st.n].at
	switch st.op {
	case ask:
		return fmt.Sprintf("%s queues, revision %d", name, after.rev)
	case own:
		return fmt.Sprintf("%s holds the lock, token %d", name, at.token)
	case take:
		return fmt.Sprintf("%s takes turn %d of token %d", name, at.turn, at.token)
	case run:
		return name + c.tellRun(before, st.n, before.workers[st.n].tx)
	case runLate:
		return name + "'s late transaction" + c.tellRun(before, st.n, before.workers[st.n].orphan)
	case drop:
		return name + "'s late transaction is rolled back"
	case abort:
		return name + "'s statement fails"
	case quit:
		return name + " gives up on its transaction, which is still under way"
	case again:
		return name + " begins again in its turn"
	case leave:
		return name + " ends its turn and lets the next in its process have the hold"
	case release:
		return name + " gives the lock back"
	case expire:
		var of []string
		for n, p := range c.processes {
			if p == st.n {
				of = append(of, string(rune('A'+n)))
			}
		}
		return "the lease of " + strings.Join(of, " and ") + " expires"
	case restore:
		return "etcd is restored from a snapshot of its beginning"
	}
	return "?"
}

func (c *config) tellRun(before *state, n int, tx transaction) string {
	var parts []string
	for _, st := range c.next(n, &tx) {
		switch st {
		case raise, match:
			ok := st == raise && c.accept(before.stored, tx.claim) || st == match && before.stored == tx.before
			result := "accepted"
			if !ok {
				result = "refused"
			}
			parts = append(parts, fmt.Sprintf("shows %d/%d.%d, %s", tx.claim.token, tx.claim.turn, tx.claim.attempt, result))
			if !ok && !c.flaw.refusedGoesOn {
				return " " + parts[0]
			}
		case read:
			tx.value = before.value
			parts = append(parts, fmt.Sprintf("reads %d", before.value))
		case write:
			parts = append(parts, fmt.Sprintf("writes %d", tx.value+1))
		case commit:
			parts = append(parts, "commits")
		}
	}
	return " " + strings.Join(parts, ", ")
}
