package queue

import "testing"

func TestInQueue(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]bool{
		"a/": false, "a/1": true, "a/1-0.try": true, "a/b/1": false, "a//1": false, "ab/1": false, "a": false, "": false, "a/1/": false,
	} {
		if got := InQueue("a/", key); got != want {
			t.Errorf("%q is in the queue: %v", key, got)
		}
	}
}
