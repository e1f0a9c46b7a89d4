package queue

import (
	"encoding/json"
	"fmt"
	"time"
)

// valueVersion is the version of the value of a key. Fields are only added, and one that a
// process does not know does not matter to it, so processes of several builds stand in one
// queue. The first builds wrote no version.
const valueVersion = 1

// Owner is what a key tells of whose it is; all of it is empty if another library wrote it.
type Owner struct {
	Host    string    `json:"host"`
	PID     int       `json:"pid"`
	Service string    `json:"service,omitempty"`
	Data    string    `json:"data,omitempty"`
	Since   time.Time `json:"since"` // when the place was taken
}

// String names the process.
func (o Owner) String() string {
	who := fmt.Sprintf("%s pid %d", o.Host, o.PID)
	if o.Service != "" {
		who = o.Service + " on " + who
	}
	return who
}

// document is the value of a key. String writes it and parse reads it, nobody else
// does.
type document struct {
	Successor string `json:"successor,omitempty"` // the lease that a hand-off names
	Lingers   bool   `json:"lingers,omitempty"`   // the hold may stay when nobody uses it
	Owner
	Version int `json:"v"`
}

// String returns the value of a key.
func (d document) String() string {
	d.Version = valueVersion
	data, err := json.Marshal(d)
	if err != nil {
		return ""
	}
	return string(data)
}

// parse reads the value of a key, of which nothing is known if another library wrote it.
func parse(value []byte) (d document) {
	if err := json.Unmarshal(value, &d); err != nil {
		return document{}
	}
	return d
}
