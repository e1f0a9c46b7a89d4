package integration_test

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/repo"
)

// paper is what the documents of the benchmark are of.
type paper struct {
	ID      string `gorm:"size:40"`
	Name    string `gorm:"size:100"`
	Text    string `gorm:"size:200"`
	Stock   int64
	Made    time.Time `holdfast:"created"`
	Seen    time.Time `holdfast:"updated"`
	Version int64     `holdfast:"version"`
}

// papers are documents of about 160 bytes, and their size.
func papers(n, round int) (dto repo.SmartSaveDTO, size int) {
	text := strings.Repeat("x", 80)
	for i := range n {
		doc := fmt.Sprintf(`{"id":"paper-%08d","name":"name of %08d","text":"%s","stock":%d}`, i, i, text, i+round)
		dto.EntityList = append(dto.EntityList, doc)
		size += len(doc)
	}
	return dto, size
}

// BenchmarkSmartSaveMemory saves 100,000 documents in one transaction, a tenth of that
// without HOLDFAST_SOAK: all new, then all stored. It reports how much memory that takes at
// most in addition to the documents, in sizes of these.
func BenchmarkSmartSaveMemory(b *testing.B) {
	for _, mode := range []struct {
		name   string
		option repo.SmartSaveOption
	}{{"Merge", repo.Merge()}, {"Replace", repo.Replace()}} {
		b.Run(mode.name, func(b *testing.B) {
			db, n := postgresDB(b), full(100_000)
			r := gormRepo[paper](b, db, nil)
			for b.Loop() {
				must(b, db.Exec("DELETE FROM papers").Error)
				for round, state := range []string{"new", "stored"} {
					must(b, db.Exec("ANALYZE papers").Error)
					dto, size := papers(n, round)
					most := mostLive(func() {
						_, err := r.SmartSave(b.Context(), dto, mode.option, repo.MaxDocuments(n))
						must(b, err)
					})
					b.ReportMetric(float64(most)/float64(size), state+"/input")
					runtime.KeepAlive(dto)
				}
			}
		})
	}
}

// mostLive is the most memory in use while fn runs, above what is in use before.
func mostLive(fn func()) (most uint64) {
	before, done, ended := live(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			most = max(most, live())
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	}()
	fn()
	close(done)
	<-ended
	return most - min(most, before)
}

// live is the memory that the collector finds in use.
func live() uint64 {
	runtime.GC()
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
