// Package stages_test runs pods with an old lock, with both locks and with etcd alone, each a
// process of its own, side by side on one counter.
package stages_test
