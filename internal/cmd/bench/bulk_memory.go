package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/metrics"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

const (
	memoryDocuments = 100_000
	memoryChunk     = 2000
)

// memoryWays name those of a SmartSave.
func memoryWays() []string {
	return []string{fmt.Sprintf("`Chunks(%d)`", memoryChunk), "one transaction"}
}

// bulkMemory returns for each way the peak of the live heap in one call, above what there
// was before it, divided by the bytes of the input. It measures once: that is no time.
func (b *bench) bulkMemory(ctx context.Context, r *gormrepo.Repository[bulkRow]) ([]float64, error) {
	docs, err := newBulkDocuments(bulkRows(b.scale(memoryDocuments, 1000)))
	if err != nil {
		return nil, err
	}
	save := func(options ...repo.SmartSaveOption) error {
		options = append(options, repo.Merge(), repo.MaxDocuments(len(docs.texts)))
		_, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: docs.texts}, options...)
		return err
	}
	if err := save(repo.Chunks(memoryChunk)); err != nil { // all of them exist then
		return nil, err
	}
	peaks := make([]float64, len(memoryWays()))
	for i, options := range [][]repo.SmartSaveOption{{repo.Chunks(memoryChunk)}, nil} {
		b.say("bulk: memory, %s", memoryWays()[i])
		if err := docs.change(1); err != nil {
			return nil, err
		}
		peak, err := peakOf(func() error { return save(options...) })
		if err != nil {
			return nil, err
		}
		peaks[i] = peak / docs.size()
	}
	runtime.KeepAlive(docs)
	return peaks, nil
}

// peakOf returns the bytes by which the live heap grew at most while f ran. It collects
// garbage all the time.
func peakOf(f func() error) (float64, error) {
	before, done, peak := liveHeap(), make(chan struct{}), make(chan float64)
	go func() {
		for most := before; ; most = max(most, liveHeap()) {
			select {
			case <-done:
				peak <- max(most, liveHeap()) // what f returned is there
				return
			default:
			}
		}
	}()
	err := f()
	close(done)
	return <-peak - before, err
}

// liveHeap returns the bytes that the last garbage collection has found in use.
func liveHeap() float64 {
	runtime.GC()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	return float64(live[0].Value.Uint64())
}
