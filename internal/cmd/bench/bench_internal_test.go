package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

func TestTakingALockAgainIsNoHandover(t *testing.T) {
	t.Parallel()
	began := time.Unix(1000, 0)
	at := func(ms ...int64) []int64 {
		for i := range ms {
			ms[i] = began.Add(time.Duration(ms[i]) * time.Millisecond).UnixNano()
		}
		return ms
	}
	h := judge(began, 100*time.Millisecond, []visits{
		{At: at(1, 2, 3, 50), Wait: []int64{1e6, 1e6, 1e6, 40e6}},
		{At: at(10, 120), Wait: []int64{2e6, 1e6}}, // the second is after the window
	})
	// 1, 2, 3 | 10 | 50: two changes within 100 ms.
	if h.each != 50 || h.holds != 5 || h.median != 21 || h.most != 40 {
		t.Errorf("judged %+v", h)
	}
	if alone := judge(began, time.Second, []visits{{At: at(1, 2), Wait: []int64{1, 1}}, {}}); !math.IsNaN(alone.each) {
		t.Errorf("a lock that one contender kept has handovers: %+v", alone)
	}
}

func TestWhatIsAWrite(t *testing.T) {
	t.Parallel()
	read := &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{}}}
	put := &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{}}}
	nested := func(op *pb.RequestOp) *pb.RequestOp {
		return &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: &pb.TxnRequest{Success: []*pb.RequestOp{op}}}}
	}
	for name, c := range map[string]struct {
		req  any
		want bool
	}{
		"range":                  {&pb.RangeRequest{}, false},
		"put":                    {&pb.PutRequest{}, true},
		"grant":                  {&pb.LeaseGrantRequest{}, true},
		"reading transaction":    {&pb.TxnRequest{Success: []*pb.RequestOp{read}, Failure: []*pb.RequestOp{nested(read)}}, false},
		"put in the else branch": {&pb.TxnRequest{Success: []*pb.RequestOp{read}, Failure: []*pb.RequestOp{put}}, true},
		"put in a nested one":    {&pb.TxnRequest{Success: []*pb.RequestOp{nested(put)}}, true},
	} {
		if got := isWrite(c.req); got != c.want {
			t.Errorf("%s is a write: %v, want %v", name, got, c.want)
		}
	}
}

func TestGoalsGoByTheMedian(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		g    goal
		want bool
	}{
		"reached by most":   {goal{least: 50, got: []float64{10, 60, 55}}, true},
		"reached by few":    {goal{least: 50, got: []float64{10, 60, 40}}, false},
		"kept below":        {goal{most: 0, got: []float64{0, 0}}, true},
		"not kept below":    {goal{most: 2, got: []float64{2, 3, 3}}, false},
		"not measured":      {goal{least: 20, why: "no server"}, false},
		"nothing to divide": {goal{least: 20, got: []float64{math.NaN()}}, false},
	} {
		if got := c.g.met(); got != c.want {
			t.Errorf("%s: met is %v, want %v", name, got, c.want)
		}
	}
}

func TestDocumentHasGoalsTablesAndPlots(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "figures.md")
	d, err := section.Open(name, "Benchmarks")
	if err != nil {
		t.Fatal(err)
	}
	r := &report{
		facts:  [][2]string{{"Date", "today"}},
		goals:  []goal{{cluster: "1 member", what: "speed", least: 2, unit: "x", got: []float64{3, 1, 2.5}}},
		tables: []table{{cluster: "1 member", title: "Handover", how: "So.", plotName: "plot.svg", plot: []byte("<svg/>"), head: []string{"a"}, rows: [][]string{{"1"}}, notes: []string{"b"}}},
	}
	if err := r.write(d, false); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	const want = `# Benchmarks

<!-- measured: begin. Written by ` + "`make bench`" + `; do not edit. -->

- Date: today

## Goals

Ratios are of figures of one round, the median of the rounds, with the least and the greatest in brackets.

| what | against | wanted | measured |  | etcd |
|---|---|---|---|---|---|
| speed |  | at least 2x | 2.5x (1 to 3) | met | 1 member |

## Handover (etcd with 1 member)

So.

![Handover](plot.svg)

| a |
|---|
| 1 |

- b

<!-- measured: end -->
`
	if string(text) != want {
		t.Errorf("the document is:\n%s\nwant\n%s", text, want)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(name), "plot.svg")); err != nil {
		t.Error(err)
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for x, want := range map[float64]string{0: "0", 1: "1", 2.5: "2.5", 13.84: "13.8", 1234.5: "1234", 0.00123: "0.00123", math.NaN(): unknown} {
		if got := number(x); got != want {
			t.Errorf("number(%v) is %q, want %q", x, got, want)
		}
	}
}

func TestPlotWithoutFigures(t *testing.T) {
	t.Parallel()
	svg, err := plot("title", "x", []int{2, 4}, []line{{"none", []float64{math.NaN(), math.NaN()}}, {"one", []float64{math.NaN(), 3}}})
	if err != nil || !strings.Contains(string(svg), "<svg") || !strings.Contains(string(svg), "one") {
		t.Errorf("%v\n%s", err, svg)
	}
}
