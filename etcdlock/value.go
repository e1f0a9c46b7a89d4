package etcdlock

import (
	"encoding/json"
	"os"
	"time"
)

// valueVersion is the version of the value of a key. Fields are only added, and one that a
// process does not know does not matter to it, so processes of several builds stand in one
// queue. The first builds wrote no version.
const valueVersion = 1

// owner is what the value of a key says. ownerData writes it and ownerIn reads it, nobody
// else does.
type owner struct {
	Successor string    `json:"successor,omitempty"` // the lease that an exchange names
	Lingers   bool      `json:"lingers,omitempty"`
	Host      string    `json:"host"`
	PID       int       `json:"pid"`
	Service   string    `json:"service,omitempty"`
	Data      string    `json:"data,omitempty"`
	Since     time.Time `json:"since"`
	Version   int       `json:"v"`
}

func (l *Locker) ownerData(o owner) string {
	o.Host, o.PID, o.Service, o.Data, o.Version = l.host, os.Getpid(), l.service, l.data, valueVersion
	data, err := json.Marshal(o)
	if err != nil {
		return ""
	}
	return string(data)
}

// ownerIn reads the value of a key, of which nothing is known if another library
// wrote it.
func ownerIn(value []byte) (o owner) {
	if err := json.Unmarshal(value, &o); err != nil {
		return owner{}
	}
	return o
}
