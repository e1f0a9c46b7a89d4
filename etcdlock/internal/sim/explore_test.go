package sim_test

import (
	"fmt"
	"hash/maphash"
	"os"
	"slices"
	"strings"
	"testing"
)

// graph is every state that can be reached, and every step between two.
type graph struct {
	c       *config
	seeds   [2]maphash.Seed
	known   map[[2]uint64]int32
	parent  []int32 // the state from which it was reached first
	by      []step  // and the step that led there
	final   []bool
	unaware []bool // a lost hold goes on
	clear   []bool // no key is in front of others that its process has given up
	edges   []edge
}

type edge struct {
	from, to int32
	op       op
}

// explore tries everything. It returns the promise that is broken on a shortest
// way, with the way.
func explore(c *config) (*graph, error) {
	g := &graph{c: c, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, known: make(map[[2]uint64]int32)}
	g.add(c.start(), -1, step{})
	type pair struct {
		id int32
		s  *state
	}
	todo := []pair{{0, c.start()}}
	var steps []step
	for len(todo) > 0 {
		at := todo[0]
		todo[0].s, todo = nil, todo[1:]
		steps = c.steps(at.s, steps[:0])
		for _, st := range steps {
			next := *at.s
			if err := c.apply(&next, st); err != nil {
				return g, fmt.Errorf("%w:\n%s%v", err, g.way(at.id), st)
			}
			id, isNew := g.add(&next, at.id, st)
			if isNew {
				todo = append(todo, pair{id, &next})
			}
			g.edges = append(g.edges, edge{at.id, id, st.op})
		}
	}
	if id := g.cutOff(g.final, func(o op) bool { return o <= lastGood }); id >= 0 {
		return g, fmt.Errorf("%w:\n%s", errStuck, g.way(id))
	}
	aware := make([]bool, len(g.unaware))
	for i, u := range g.unaware {
		aware[i] = !u
	}
	if id := g.cutOff(aware, func(o op) bool { return o <= lastGood && o != leave }); id >= 0 {
		return g, fmt.Errorf("%w:\n%s", errUnnoticed, g.way(id))
	}
	// Time passes with settle alone, and what travels is in nobody's hand.
	if id := g.cutOff(g.clear, func(o op) bool { return o <= lastGood && o != settle && o != land && o != vanish }); id >= 0 {
		return g, fmt.Errorf("%w:\n%s", errInFront, g.way(id))
	}
	return g, nil
}

func (g *graph) add(s *state, parent int32, by step) (int32, bool) {
	var buf [512]byte
	b := s.appendTo(buf[:0], g.c)
	sum := [2]uint64{maphash.Bytes(g.seeds[0], b), maphash.Bytes(g.seeds[1], b)}
	if id, ok := g.known[sum]; ok {
		return id, false
	}
	id := int32(len(g.parent))
	g.known[sum] = id
	g.parent = append(g.parent, parent)
	g.by = append(g.by, by)
	g.final = append(g.final, g.c.over(s))
	unaware := false
	for i := range g.c.entries() {
		e := &s.entries[i]
		unaware = unaware || e.phase == owned && e.forfeit && !s.clients[g.c.clientOf(i)].dead
	}
	g.unaware = append(g.unaware, unaware)
	g.clear = append(g.clear, !g.c.inFront(s))
	return id, true
}

// cutOff returns a state from which no way over the steps allowed leads into
// the goal, -1 if there is none.
func (g *graph) cutOff(goal []bool, allowed func(op) bool) int32 {
	n := len(goal)
	first := make([]int32, n+1)
	for _, e := range g.edges {
		first[e.to+1]++
	}
	for i := range n {
		first[i+1] += first[i]
	}
	back := make([]int32, len(g.edges)) // indexes of edges, by where they lead
	fill := append([]int32(nil), first...)
	for i, e := range g.edges {
		back[fill[e.to]] = int32(i)
		fill[e.to]++
	}
	reached := append([]bool(nil), goal...)
	var todo []int32
	for i, r := range reached {
		if r {
			todo = append(todo, int32(i))
		}
	}
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, i := range back[first[at]:first[at+1]] {
			if e := g.edges[i]; allowed(e.op) && !reached[e.from] {
				reached[e.from] = true
				todo = append(todo, e.from)
			}
		}
	}
	for i, r := range reached {
		if !r {
			return int32(i)
		}
	}
	return -1
}

// way writes the steps that lead to a state.
func (g *graph) way(id int32) string {
	var lines []string
	for ; id > 0; id = g.parent[id] {
		lines = append(lines, fmt.Sprintf("  %v\n", g.by[id]))
	}
	var b strings.Builder
	for _, line := range slices.Backward(lines) {
		b.WriteString(line)
	}
	return b.String()
}

func only(ops ...op) map[op]bool {
	m := map[op]bool{}
	for _, o := range ops {
		m[o] = true
	}
	return m
}

// messages are the faults of the network.
func messages() map[op]bool { return only(timeout, loseReply, breakWatch, renewLost) }

// Two contenders, in all interleavings. Soaking tries more at once.
func TestTwoContenders(t *testing.T) {
	t.Parallel()
	cases := map[string]config{
		"NoFault":     {clients: 2, attempts: 2, patience: 2},
		"TwoFaults":   {clients: 2, attempts: 1, faults: 2, patience: 1},
		"Messages":    {clients: 2, attempts: 1, faults: 3, patience: 1, allow: messages()},
		"TwoAttempts": {clients: 2, attempts: 2, faults: 1, allow: only(timeout, deleteKey)},
		"TryLock":     {clients: 2, attempts: 1, tries: 2, faults: 2},
		"Exchange":    {clients: 2, attempts: 2, faults: 2, exchanges: 1, allow: only(timeout, loseReply, deleteKey)},
		"Standing":    {clients: 2, attempts: 2, faults: 1, exchanges: 3, standing: 3, patience: 1},
		"Clocks":      {clients: 2, attempts: 1, ticks: 4, drifts: 1, running: 1},
	}
	if os.Getenv("HOLDFAST_SOAK") != "" {
		cases["ThreeFaults"] = config{clients: 2, attempts: 1, faults: 3}
		cases["TwoAttemptsAllFaults"] = config{clients: 2, attempts: 2, faults: 1, patience: 1}
		cases["ExchangeAllFaults"] = config{clients: 2, attempts: 2, faults: 1, patience: 1, exchanges: 3}
		cases["TwoAttemptsTryLock"] = config{clients: 2, attempts: 2, tries: 2, faults: 1, patience: 1}
		cases["ClocksAndMessages"] = config{clients: 2, attempts: 1, ticks: 5, drifts: 1, running: 1, faults: 1, allow: messages()}
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if raced {
				c.faults = min(c.faults, 1)
				c.ticks = min(c.ticks, 2)
			}
			g, err := explore(&c)
			if err != nil {
				t.Error(err)
			}
			t.Logf("%d states, %d steps", len(g.parent), len(g.edges))
		})
	}
}
