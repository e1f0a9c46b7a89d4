package devserver

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are drawn from below the range that operating systems use for outgoing
// connections. A port of that range could be taken as the local end of some
// connection while its server is stopped, and the restart would fail.
const (
	lowestPort  = 15000
	highestPort = 31000
	portTries   = 200
)

// freePorts returns n different loopback ports that were free a moment ago.
func freePorts(n int) ([]int, error) {
	var open []net.Listener
	defer func() {
		for _, l := range open {
			l.Close()
		}
	}()
	var ports []int
	var last error
	// All listeners stay open until the last port is found: that keeps the
	// ports of one call different from each other.
	for range portTries {
		if len(ports) == n {
			return ports, nil
		}
		p := lowestPort + rand.IntN(highestPort-lowestPort)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p)))
		if err != nil {
			last = err
			continue
		}
		open = append(open, l)
		ports = append(ports, p)
	}
	return nil, fmt.Errorf("devserver: finding %d free ports: %w", n, errors.Join(errors.New("all tries failed"), last))
}
