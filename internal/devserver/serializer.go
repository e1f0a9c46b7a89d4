package devserver

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// The parts of the MongoDB wire protocol that the serializer must know; see
// https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/.
const (
	headerLen  = 16
	maxMessage = 64 << 20 // the protocol's limit is 48 MB
	opMsg      = 2013

	flagMoreToCome = 1 << 1 // in a request: no reply wanted; in a reply: another follows
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

// message is one wire message, header included.
type message []byte

func readMessage(r io.Reader) (message, error) {
	var head [headerLen]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n < headerLen || n > maxMessage {
		return nil, fmt.Errorf("devserver: a wire message of %d bytes", n)
	}
	m := make(message, n)
	copy(m, head[:])
	if _, err := io.ReadFull(r, m[headerLen:]); err != nil {
		return nil, errors.Join(errors.New("devserver: a wire message ended early"), err)
	}
	return m, nil
}

func (m message) isMsg() bool {
	return len(m) >= headerLen+4 && binary.LittleEndian.Uint32(m[12:]) == opMsg
}

func (m message) moreToCome() bool {
	return m.isMsg() && binary.LittleEndian.Uint32(m[headerLen:])&flagMoreToCome != 0
}

// greeting reports whether m is one of the commands that drivers watch a
// server with. They touch no data, and a server may hold their reply back for
// seconds until something changes, so they take no turn.
func (m message) greeting() bool {
	if !m.isMsg() {
		return true // the old form, in which drivers only greet
	}
	switch m.command() {
	case "hello", "isMaster", "ismaster":
		return true
	}
	return false
}

// command returns the name of the command: the first key of the document that
// follows the flags, or "" when the message does not start with a document.
func (m message) command() string {
	// One byte for the kind of the section, four for the document's length,
	// one for the type of the first value, then the key up to a zero byte.
	const start = headerLen + 4 + 1 + 4 + 1
	if len(m) < start || m[headerLen+4] != 0 {
		return ""
	}
	name, _, _ := bytes.Cut(m[start:], []byte{0})
	return string(name)
}
