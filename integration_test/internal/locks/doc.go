// Package locks gives tests Lockers, as several processes would have them, and looks at their
// queues in etcd from outside.
package locks
