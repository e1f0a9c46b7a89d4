package sim_test

import (
	"errors"
	"testing"
)

// A protocol that lacks one of its steps breaks a promise, and the search finds
// out which.
func TestBrokenProtocols(t *testing.T) {
	t.Parallel()
	once, twice := config{clients: 2, attempts: 1}, config{clients: 2, attempts: 2}
	with := func(c config, f flaw, allowed ...op) config {
		if c.flaw, c.allow = f, only(allowed...); len(allowed) > 0 {
			c.faults = 1
		}
		return c
	}
	impatient, leaving, anyOrder := once, twice, twice
	impatient.patience, leaving.patience, anyOrder.patience, anyOrder.anyOrder = 1, 1, 1, true
	clocks := config{clients: 2, attempts: 1, ticks: 4, drifts: 1, running: 1, anyOrder: true}
	exchanging := twice
	exchanging.exchanges = 1
	sweeping := with(twice, flaw{vacateSwept: true}, timeout)
	sweeping.faults = 2
	naming := exchanging
	naming.standing = 3
	misnaming := with(config{clients: 3, attempts: 2, exchanges: 1, guessLast: true}, flaw{anyName: true, noOwnWatch: true}, deleteKey)
	// Another attempt of the same client has its key there, or comes to have it.
	again := with(config{clients: 2, attempts: 2, exchanges: 1, patience: 1}, flaw{notSole: true, noOwnWatch: true}, timeout, deleteKey)
	again.faults = 2
	twiceThere := with(config{clients: 2, attempts: 2, exchanges: 1}, flaw{unsureName: true, noOwnWatch: true}, timeout, deleteKey)
	twiceThere.faults = 2
	trying := config{clients: 2, attempts: 1, tries: 2}
	for name, broken := range map[string]struct {
		config
		want error
	}{
		"NoOwnKeyInCheck":         {with(twice, flaw{noOwnKey: true, noOwnWatch: true}, deleteKey), errNotFirst},
		"NoOwnKeyInCheck_Holders": {with(anyOrder, flaw{noOwnKey: true, noOwnWatch: true}, deleteKey), errTwoHolders},
		"NoSecondLook":            {with(leaving, flaw{noSecondLook: true}), errNotFirst},
		"NoSecondLook_Holders":    {with(anyOrder, flaw{noSecondLook: true}), errTwoHolders},
		"CheckBeforeWatch":        {with(once, flaw{checkFirst: true}), errStuck},
		"NoGuard":                 {with(once, flaw{noGuard: true}, deleteKey), errNotTold},
		"NoGuard_Order":           {with(twice, flaw{noGuard: true}, timeout), errNotFirst},
		"NoGuard_Holders":         {with(anyOrder, flaw{noGuard: true}, timeout), errTwoHolders},
		// The guard alone does not make a key good for the next attempt: what
		// abandons an attempt knows no revision.
		"KeyGivenBackAtOnce":     {with(leaving, flaw{vacateEarly: true}, timeout), errNotFirst},
		"KeyGivenBackAfterSweep": {sweeping, errNotFirst},
		"NoSweep":                {with(impatient, flaw{noSweep: true}, loseReply), errLeaked},
		"OneSweep":               {with(impatient, flaw{oneSweep: true}, timeout), errLeaked},
		"NoWatchAfterSweep":      {with(impatient, flaw{noLateWatch: true}, timeout), errInFront},
		"NoWatchAfterRelease":    {with(once, flaw{noLateWatch: true}, timeout), errInFront},
		"NoSweepAfterRelease":    {with(once, flaw{noLateSweep: true}, timeout), errLeaked},
		"NoSweepAfterTryLock":    {with(trying, flaw{noLateSweep: true}, timeout), errLeaked},
		"ExchangeTakenForDone":   {with(exchanging, flaw{carefree: true}, deleteKey), errNotFirst},
		"ExchangeTakenForTurn":   {with(exchanging, flaw{headOn: true}, loseReply), errNotFirst},
		"NamedBlindly":           {with(naming, flaw{blindName: true, noOwnWatch: true}, deleteKey), errNotFirst},
		"NameTakenForOwn":        {misnaming, errNotFirst},
		"NameOfAnotherKey":       {again, errNotFirst},
		"NameOfAnotherPlace":     {twiceThere, errNotFirst},
		"NoWatchOnOwnKey":        {with(once, flaw{noOwnWatch: true}, deleteKey), errUnnoticed},
		"NoRevocation":           {with(once, flaw{keepAfterLoss: true}, lapse), errStuck},
		"ValidFromTheAnswer":     {with(clocks, flaw{fromReply: true}), errTwoHolders},
		"NoMargin":               {with(clocks, flaw{noMargin: true}, drift), errTwoHolders},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := explore(&broken.config)
			if !errors.Is(err, broken.want) {
				t.Errorf("it broke %v, want %v", err, broken.want)
			}
			if raced {
				return
			}
			broken.flaw = flaw{}
			if _, err := explore(&broken.config); err != nil {
				t.Errorf("with nothing switched off: %v", err)
			}
		})
	}
}

// The same by chance, with more contenders: what the search for the correct
// protocol skips must be able to find something.
func TestBrokenProtocols_Crowd(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]flaw{
		"NoOwnKeyInCheck":    {noOwnKey: true, noOwnWatch: true},
		"NoSecondLook":       {noSecondLook: true},
		"CheckBeforeWatch":   {checkFirst: true},
		"NoGuard":            {noGuard: true},
		"NoSweep":            {noSweep: true},
		"OneSweep":           {oneSweep: true},
		"NoLateSweep":        {noLateSweep: true},
		"NoRevocation":       {keepAfterLoss: true},
		"ValidFromTheAnswer": {fromReply: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if raced && f.noOwnKey {
				return // found by others, and late here
			}
			const tries = 200_000
			for seed := range uint64(tries) {
				if err := simulateSeed(seed, f); err != nil {
					t.Logf("found after %d runs: %v", seed+1, errors.Unwrap(err))
					return
				}
			}
			t.Errorf("%d runs found nothing", tries)
		})
	}
}
