package devserver

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// The parts of the MongoDB wire protocol that the serializer must know; see
// https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/.
const (
	headerLen  = 16
	maxMessage = 64 << 20 // the protocol's limit is 48 MB
	opMsg      = 2013

	flagMoreToCome = 1 << 1 // in a request: no reply wanted; in a reply: another follows
)

// message is one wire message, header included.
type message []byte

func readMessage(r io.Reader) (message, error) {
	var head [headerLen]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n < headerLen || n > maxMessage {
		return nil, fmt.Errorf("devserver: reading a message: it has %d bytes", n)
	}
	m := make(message, n)
	copy(m, head[:])
	if _, err := io.ReadFull(r, m[headerLen:]); err != nil {
		return nil, errors.Join(errors.New("devserver: reading a message: it ended early"), err)
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

var errBadMessage = errors.New("devserver: reading a message: it is not understood")

// body returns the document of the section that every message has one of.
func (m message) body() (bson.Raw, error) {
	if !m.isMsg() || len(m) < headerLen+4+1+4 || m[headerLen+4] != 0 {
		return nil, errBadMessage
	}
	n := binary.LittleEndian.Uint32(m[headerLen+5:])
	if uint64(len(m)) < headerLen+5+uint64(n) {
		return nil, errBadMessage
	}
	return bson.Raw(m[headerLen+5 : headerLen+5+int(n)]), nil
}

// document returns the whole command: the body, and the lists that drivers
// send next to it.
func (m message) document() (bson.D, error) {
	body, err := m.body()
	if err != nil {
		return nil, err
	}
	elems, err := body.Elements()
	if err != nil {
		return nil, err
	}
	var doc bson.D
	for _, el := range elems {
		v := any(el.Value())
		if arr, ok := el.Value().ArrayOK(); ok {
			if v, err = listOf(arr); err != nil {
				return nil, err
			}
		}
		doc = append(doc, bson.E{Key: el.Key(), Value: v})
	}
	for rest := m[headerLen+5+len(body):]; len(rest) > 0; {
		name, list, size, err := sequence(rest)
		if err != nil {
			return nil, err
		}
		doc = append(doc, bson.E{Key: name, Value: list})
		rest = rest[size:]
	}
	return doc, nil
}

func listOf(arr bson.RawArray) (bson.A, error) {
	values, err := arr.Values()
	if err != nil {
		return nil, err
	}
	list := make(bson.A, len(values))
	for i, v := range values {
		list[i] = v
	}
	return list, nil
}

// sequence reads one section of kind 1: its size, its name, its documents.
func sequence(b []byte) (name string, list bson.A, size int, err error) {
	if len(b) < 6 || b[0] != 1 {
		return "", nil, 0, errBadMessage
	}
	size = 1 + int(binary.LittleEndian.Uint32(b[1:]))
	if size > len(b) || size < 6 {
		return "", nil, 0, errBadMessage
	}
	text, docs, ok := strings.Cut(string(b[5:size]), "\x00")
	if !ok {
		return "", nil, 0, errBadMessage
	}
	for rest := []byte(docs); len(rest) > 0; {
		if len(rest) < 4 {
			return "", nil, 0, errBadMessage
		}
		n := int(binary.LittleEndian.Uint32(rest))
		if n < 5 || n > len(rest) {
			return "", nil, 0, errBadMessage
		}
		list = append(list, bson.Raw(rest[:n]))
		rest = rest[n:]
	}
	return text, list, size, nil
}

func (m message) id() uint32 { return binary.LittleEndian.Uint32(m[4:]) }

// newMessage makes a message of one document, as the answer to a request.
func newMessage(doc bson.D, responseTo uint32) (message, error) {
	body, err := bson.Marshal(doc)
	if err != nil {
		return nil, err
	}
	m := make(message, headerLen+5, headerLen+5+len(body))
	binary.LittleEndian.PutUint32(m, uint32(headerLen+5+len(body)))
	binary.LittleEndian.PutUint32(m[8:], responseTo)
	binary.LittleEndian.PutUint32(m[12:], opMsg)
	return append(m, body...), nil
}
