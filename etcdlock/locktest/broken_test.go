package locktest_test

import (
	"context"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock/locktest"
)

func TestRun_IntactStore(t *testing.T) {
	t.Parallel()
	locktest.Run(t, func(t *testing.T) locktest.Harness {
		t.Helper()
		return newStore(t, faults{}).harness()
	})
}

// TestCases_FindEveryFault shows that the suite can fail: each fault is found by
// each of the cases that are named next to it.
func TestCases_FindEveryFault(t *testing.T) {
	t.Parallel()
	cases := make(map[string]locktest.Case)
	for _, c := range locktest.Cases() {
		cases[c.Name] = c
	}
	broken := map[string]struct {
		faults faults
		by     []string
	}{
		"lets two in": {faults{letsTwoIn: true}, []string{
			"Exclusion/SecondWaits", "Exclusion/BetweenGoroutines", "Exclusion/BetweenLockers",
		}},
		"serves the last first":            {faults{lastFirst: true}, []string{"Wait/InOrder"}},
		"takes a leaver for its turn":      {faults{leavingFoolsNext: true}, []string{"Wait/CancelledInTheMiddle"}},
		"leaves a cancelled waiter behind": {faults{leaksWaiter: true}, []string{"Wait/CancelledWhileWaiting", "Wait/CancelledInTheMiddle", "Wait/CancelledInOneProcess", "Clean/NothingStays"}},
		"waits on when cancelled":          {faults{ignoresCancel: true}, []string{"Wait/CancelledWhileWaiting"}},
		"calls a timeout by another name":  {faults{bareTimeout: true}, []string{"Wait/TimesOut"}},
		"waits in TryLock":                 {faults{tryWaits: true}, []string{"TryLock/HeldByAnother", "TryLock/HeldByItself"}},
		"queues in TryLock":                {faults{tryQueues: true}, []string{"TryLock/HeldByAnother"}},
		"keeps some of several names":      {faults{tryKeepsSome: true}, []string{"Several/AllOrNone"}},
		"takes names in any order":         {faults{unsorted: true}, []string{"Several/NeverDeadlock"}},
		"cuts names at a slash":            {faults{cutsNames: true}, []string{"Names/AreApart"}},
		"takes bad names":                  {faults{anyNames: true}, []string{"Lock/RefusesBadNames"}},
		"ends the hold with the caller":    {faults{diesWithCaller: true}, []string{"Lock/HoldOutlivesTheCall"}},
		"drops the caller's values":        {faults{dropsValues: true}, []string{"Lock/HoldOutlivesTheCall"}},
		"keeps the context after Unlock":   {faults{keepsContext: true}, []string{"Lock/GivesAHold"}},
		"unlocks only in good time":        {faults{unlockNeedsContext: true}, []string{"Unlock/WithADeadContext"}},
		"unlocks somebody else's":          {faults{unlockTakesOthers: true}, []string{"Unlock/Twice"}},
		"gives no notice of loss":          {faults{noNotice: true}, []string{"Loss/IsNoticed"}},
		"hides a loss from Unlock":         {faults{silentLoss: true}, []string{"Loss/IsNoticed"}},
		"holds a lost name":                {faults{lossHoldsName: true}, []string{"Loss/LetsOthersIn"}},
		"unlocks the next after a loss":    {faults{lossFreesNext: true}, []string{"Loss/LetsOthersIn"}},
		"reuses tokens":                    {faults{reusesTokens: true}, []string{"Tokens/Grow"}},
		"does not nest":                    {faults{noNesting: true}, []string{"Nested/SameName"}},
		"frees with the nested lock":       {faults{nestedUnlockFrees: true}, []string{"Nested/SameName"}},
		"nests in an ended hold":           {faults{staleNesting: true}, []string{"Nested/EndedHold"}},
		"waits against the order":          {faults{orderWaits: true}, []string{"Nested/Deadlock"}},
		"refuses what is out of order":     {faults{orderRefuses: true}, []string{"Nested/Order"}},
		"locks after Close":                {faults{closeIsOpen: true}, []string{"Close/RefusesNewLocks"}},
		"forgets waits in Close":           {faults{closeForgetsWaits: true}, []string{"Close/EndsWaits"}},
		"forgets holds in Close":           {faults{closeForgetsHolds: true}, []string{"Close/TakesHoldsAway"}},
		"hurries holds in Close":           {faults{closeHurries: true}, []string{"Close/WaitsForHolds"}},
		"takes one of several names":       {faults{firstNameOnly: true}, []string{"Several/ExcludeEach"}},
		"takes any name for nested":        {faults{nestsAnything: true}, []string{"Nested/AnotherName"}},
		"dies of a loss":                   {faults{diesOfLoss: true}, []string{"Loss/IsSurvived"}},
		"never succeeds in TryLock":        {faults{tryNever: true}, []string{"TryLock/Free"}},
		"trims names":                      {faults{trimsNames: true}, []string{"Names/OddOnes", "Names/AreApart"}},
		"takes calls with a dead context":  {faults{takesDead: true}, []string{"Wait/CancelledBefore"}},
		"never frees":                      {faults{neverFrees: true}, []string{"Unlock/Frees"}},
		"leaves litter":                    {faults{litters: true}, []string{"Clean/NothingStays", "Lock/GivesAHold"}},
	}
	// They mostly wait, so all run at once, however few tests may.
	runs := make(map[string]map[string]<-chan *recorder)
	found := make(map[string]bool)
	for name, lock := range broken {
		runs[name] = make(map[string]<-chan *recorder)
		for _, by := range lock.by {
			c, known := cases[by]
			if !known {
				t.Fatalf("there is no case %q", by)
			}
			found[by] = true
			done := make(chan *recorder, 1)
			runs[name][by] = done
			go func() {
				done <- record(context.Background(), func(rt *recorder) {
					h := newStore(rt, lock.faults).harness()
					h.Patience = 500 * time.Millisecond // for what will not happen
					c.Run(rt, h)
				})
			}()
		}
	}
	for name, lock := range broken {
		for _, by := range lock.by {
			t.Run(name+"/"+by, func(t *testing.T) {
				r := <-runs[name][by]
				if !r.failed() {
					t.Fatalf("a lock that %s passes", name)
				}
				t.Logf("found: %s", r.errors[0])
			})
		}
	}
	for name := range cases {
		if !found[name] {
			t.Errorf("no broken lock shows that case %q can fail", name)
		}
	}
}

func TestCases_SkipWhatIsNotClaimed(t *testing.T) {
	t.Parallel()
	skipped := 0
	for _, c := range locktest.Cases() {
		r := record(t.Context(), func(rt *recorder) {
			h := newStore(rt, faults{}).harness()
			c.Run(rt, locktest.Harness{New: h.New})
		})
		if r.failed() {
			t.Errorf("%s, with a harness that claims nothing: %q", c.Name, r.errors)
		}
		if r.skipped != "" {
			skipped++
		}
	}
	if skipped == 0 || skipped == len(locktest.Cases()) {
		t.Errorf("%d of %d cases skipped without a feature", skipped, len(locktest.Cases()))
	}
}

func TestCases_RefuseAHarnessThatLacksWhatItClaims(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(*locktest.Harness){
		"New":       func(h *locktest.Harness) { h.New = nil },
		"Break":     func(h *locktest.Harness) { h.Break = nil },
		"Queue":     func(h *locktest.Harness) { h.Queue = nil },
		"Leftovers": func(h *locktest.Harness) { h.Leftovers = nil },
	} {
		r := record(t.Context(), func(rt *recorder) {
			h := newStore(rt, faults{}).harness()
			take(&h)
			locktest.Cases()[0].Run(rt, h)
		})
		if !r.fatal {
			t.Errorf("a harness without %s went unnoticed", name)
		}
	}
}
