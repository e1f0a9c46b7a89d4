package memrepo

import (
	"container/heap"
	"slices"
)

// ranking keeps the first rows of an order: all of them, or as many as are asked for.
type ranking[T any] struct {
	before func(a, b *row[T]) int
	keep   int // 0 for all
	rows   []*row[T]
}

// add puts a row into its place, where it is one of the first.
func (k *ranking[T]) add(w *row[T]) {
	switch {
	case k.keep == 0:
		k.rows = append(k.rows, w)
	case len(k.rows) < k.keep:
		heap.Push(k, w)
	case k.before(w, k.rows[0]) < 0:
		k.rows[0] = w
		heap.Fix(k, 0)
	}
}

// sorted are the rows that were kept, in their order.
func (k *ranking[T]) sorted() []*row[T] {
	slices.SortFunc(k.rows, k.before)
	return k.rows
}

// The heap has the last of the rows on top, which the next one may replace.

// Len implements heap.Interface.
func (k *ranking[T]) Len() int { return len(k.rows) }

// Less implements heap.Interface.
func (k *ranking[T]) Less(i, j int) bool { return k.before(k.rows[i], k.rows[j]) > 0 }

// Swap implements heap.Interface.
func (k *ranking[T]) Swap(i, j int) { k.rows[i], k.rows[j] = k.rows[j], k.rows[i] }

// Push implements heap.Interface.
func (k *ranking[T]) Push(w any) { k.rows = append(k.rows, w.(*row[T])) }

// Pop implements heap.Interface.
func (k *ranking[T]) Pop() any {
	last := k.rows[len(k.rows)-1]
	k.rows = k.rows[:len(k.rows)-1]
	return last
}
