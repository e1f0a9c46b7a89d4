package devserver

import (
	"net"
	"sync"
)

// serializer lets one command through at a time, whatever connection it comes
// from: a command holds the turn from its first byte to the server until the
// last byte of the reply.
type serializer struct {
	target string // the address of the server
	turn   sync.Mutex
}

// serve carries commands from client to server until one of the two ends.
func (s *serializer) serve(client, server net.Conn) {
	for {
		req, err := readMessage(client)
		if err != nil {
			return
		}
		if err := s.command(client, server, req); err != nil {
			return
		}
	}
}

// command sends one request and passes the replies on. A client that is gone
// is noticed only after the reply: until then the server still works on the
// command, and nobody else may have the turn.
func (s *serializer) command(client, server net.Conn, req message) error {
	if !req.greeting() {
		s.turn.Lock()
		defer s.turn.Unlock()
	}
	switch req.command() {
	case "update":
		return answer(client, req, s.update)
	case "findAndModify", "findandmodify":
		return answer(client, req, s.findAndModify)
	}
	if _, err := server.Write(req); err != nil {
		return err
	}
	for {
		reply, err := readMessage(server)
		if err != nil {
			return err
		}
		// FerretDB answers even those commands that want no answer.
		if !req.moreToCome() {
			if _, err := client.Write(reply); err != nil {
				return err
			}
		}
		if !reply.moreToCome() {
			return nil
		}
	}
}

func answer(client net.Conn, req message, do func(message) (message, error)) error {
	reply, err := do(req)
	if err != nil || req.moreToCome() {
		return err
	}
	_, err = client.Write(reply)
	return err
}
