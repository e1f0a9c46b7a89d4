package locktest

import "testing"

// Case is one thing that a lock does.
type Case struct {
	// Name is that of the subtest.
	Name string
	// Run tests it on a new Harness. It may end the calling goroutine, as a
	// test does.
	Run func(t T, h Harness)
}

// Run tests an implementation, one subtest for each of [Cases], one after the
// other. start makes the Harness of a case; it may return the same one each time.
func Run(t *testing.T, start func(t *testing.T) Harness) {
	t.Helper()
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) { c.Run(t, start(t)) })
	}
}

// Cases is the suite, and its table of contents.
func Cases() []Case {
	return []Case{
		{"Lock/GivesAHold", lockGivesAHold},
		{"Lock/HoldOutlivesTheCall", holdOutlivesTheCall},
		{"Lock/RefusesBadNames", lockRefusesBadNames},
		{"Unlock/Frees", unlockFrees},
		{"Unlock/WithADeadContext", unlockWithADeadContext},
		{"Unlock/Twice", unlockTwice},

		{"Exclusion/SecondWaits", secondWaits},
		{"Exclusion/BetweenGoroutines", exclusionBetweenGoroutines},
		{"Exclusion/BetweenLockers", exclusionBetweenLockers},

		{"TryLock/Free", tryLockFree},
		{"TryLock/HeldByAnother", tryLockHeldByAnother},
		{"TryLock/HeldByItself", tryLockHeldByItself},

		{"Wait/InOrder", waitInOrder},
		{"Wait/TimesOut", waitTimesOut},
		{"Wait/CancelledBefore", waitCancelledBefore},
		{"Wait/CancelledWhileWaiting", waitCancelledWhileWaiting},
		{"Wait/CancelledInTheMiddle", waitCancelledInTheMiddle},
		{"Wait/CancelledInOneProcess", waitCancelledInOneProcess},

		{"Loss/IsNoticed", lossIsNoticed},
		{"Loss/LetsOthersIn", lossLetsOthersIn},
		{"Loss/IsSurvived", lossIsSurvived},

		{"Tokens/Grow", tokensGrow},

		{"Several/ExcludeEach", severalExcludeEach},
		{"Several/AllOrNone", severalAllOrNone},
		{"Several/NeverDeadlock", severalNeverDeadlock},

		{"Nested/SameName", nestedSameName},
		{"Nested/EndedHold", nestedEndedHold},
		{"Nested/AnotherName", nestedAnotherName},
		{"Nested/Order", nestedOrder},
		{"Nested/Deadlock", nestedDeadlock},

		{"Names/AreApart", namesAreApart},
		{"Names/OddOnes", namesOddOnes},

		{"Close/RefusesNewLocks", closeRefusesNewLocks},
		{"Close/EndsWaits", closeEndsWaits},
		{"Close/WaitsForHolds", closeWaitsForHolds},
		{"Close/TakesHoldsAway", closeTakesHoldsAway},

		{"Clean/NothingStays", nothingStays},
	}
}
