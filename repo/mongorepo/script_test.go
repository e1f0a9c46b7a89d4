package mongorepo_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// script is a server that says it is the primary of a replica set and answers
// commands as it is told. It shows what is sent, and what becomes of answers
// that a real server gives by chance only: conflicts and lost races. What a
// server does with the commands it does not show.
type script struct {
	t      testing.TB
	addr   string
	answer func(name string, cmd bson.Raw) bson.D

	mu   sync.Mutex
	seen []bson.Raw
}

const (
	opReply = 1
	opQuery = 2004
	opMsg   = 2013
)

// newScript starts the server and returns a collection on it.
func newScript(t testing.TB, answer func(name string, cmd bson.Raw) bson.D) (*script, *mongo.Collection) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &script{t: t, addr: l.Addr().String(), answer: answer}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { s.serve(c) })
		}
	})
	cli, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + s.addr + "/?replicaSet=rs&retryWrites=false"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cli.Disconnect(context.Background()); err != nil {
			t.Error(err)
		}
		l.Close()
		running.Wait()
	})
	return s, cli.Database("db").Collection("c")
}

func (s *script) serve(c net.Conn) {
	defer c.Close()
	for {
		var head [16]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		body := make([]byte, binary.LittleEndian.Uint32(head[:])-16)
		if _, err := io.ReadFull(c, body); err != nil {
			return
		}
		var err error
		switch binary.LittleEndian.Uint32(head[12:]) {
		case opQuery: // the first greeting
			err = send(c, head, opReply, make([]byte, 16), append(s.hello(), bson.E{Key: "ok", Value: 1}))
		case opMsg:
			answer := s.reply(body[4:])
			if answer == nil {
				return // the answer is lost
			}
			err = send(c, head, opMsg, make([]byte, 4), answer)
		default:
			err = errors.New("an opcode that the script does not know")
		}
		if err != nil {
			return
		}
	}
}

func send(c net.Conn, request [16]byte, opcode uint32, prefix []byte, doc bson.D) error {
	raw, err := bson.Marshal(doc)
	if err != nil {
		return err
	}
	if opcode == opReply {
		prefix = append(prefix, 1, 0, 0, 0) // one document
	} else {
		prefix = append(prefix, 0) // a section that is one document
	}
	msg := make([]byte, 16, 16+len(prefix)+len(raw))
	binary.LittleEndian.PutUint32(msg, uint32(16+len(prefix)+len(raw)))
	copy(msg[8:], request[4:8])
	binary.LittleEndian.PutUint32(msg[12:], opcode)
	_, err = c.Write(append(append(msg, prefix...), raw...))
	return err
}

func (s *script) reply(sections []byte) bson.D {
	cmd, err := command(sections)
	if err != nil {
		s.t.Error(err)
		return bson.D{{Key: "ok", Value: 0}, {Key: "errmsg", Value: err.Error()}}
	}
	elems, err := cmd.Elements()
	if err != nil || len(elems) == 0 {
		return bson.D{{Key: "ok", Value: 0}, {Key: "errmsg", Value: "no command"}}
	}
	switch name := elems[0].Key(); name {
	case "hello", "ismaster", "isMaster":
		return append(s.hello(), bson.E{Key: "ok", Value: 1})
	case "endSessions":
		return bson.D{{Key: "ok", Value: 1}}
	default:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.seen = append(s.seen, slices.Clone(cmd))
		return s.answer(name, cmd)
	}
}

// command puts the sections of a message together: the command, and the lists
// that the driver sends with it, such as the updates of an update.
func command(sections []byte) (bson.Raw, error) {
	size := binary.LittleEndian.Uint32(sections[1:])
	body, rest := bson.Raw(sections[1:1+size]), sections[1+size:]
	var cmd bson.D
	if err := bson.Unmarshal(body, &cmd); err != nil {
		return nil, err
	}
	for len(rest) > 5 && rest[0] == 1 { // a named list of documents
		size := binary.LittleEndian.Uint32(rest[1:])
		list := rest[5 : 1+size]
		rest = rest[1+size:]
		name, docs, _ := bytes.Cut(list, []byte{0})
		var all bson.A
		for len(docs) > 0 {
			n := binary.LittleEndian.Uint32(docs)
			all = append(all, bson.Raw(docs[:n]))
			docs = docs[n:]
		}
		cmd = append(cmd, bson.E{Key: string(name), Value: all})
	}
	return bson.Marshal(cmd)
}

func (s *script) hello() bson.D {
	return bson.D{
		{Key: "isWritablePrimary", Value: true},
		{Key: "ismaster", Value: true},
		{Key: "helloOk", Value: true},
		{Key: "setName", Value: "rs"},
		{Key: "setVersion", Value: 1},
		{Key: "hosts", Value: bson.A{s.addr}},
		{Key: "me", Value: s.addr},
		{Key: "maxBsonObjectSize", Value: 16 << 20},
		{Key: "maxMessageSizeBytes", Value: 48 << 20},
		{Key: "maxWriteBatchSize", Value: 100_000},
		{Key: "logicalSessionTimeoutMinutes", Value: 30},
		{Key: "minWireVersion", Value: 0},
		{Key: "maxWireVersion", Value: 21},
	}
}

// commands lists the names of what was sent, "start:" before those that start
// a transaction and "tx:" before others in one.
func (s *script) commands() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, cmd := range s.seen {
		name := cmd.Index(0).Key()
		if _, err := cmd.LookupErr("startTransaction"); err == nil {
			name = "start:" + name
		} else if v, err := cmd.LookupErr("autocommit"); err == nil && !v.Boolean() {
			name = "tx:" + name
		}
		names = append(names, name)
	}
	return names
}

func ok(more ...bson.E) bson.D { return append(bson.D{{Key: "ok", Value: 1}}, more...) }

func matched(n int) bson.D {
	return ok(bson.E{Key: "n", Value: n}, bson.E{Key: "nModified", Value: n})
}

// conflict is what a server says of a write that meets another transaction.
func conflict() bson.D {
	return bson.D{
		{Key: "ok", Value: 0},
		{Key: "code", Value: 112},
		{Key: "errmsg", Value: "WriteConflict"},
		{Key: "errorLabels", Value: bson.A{"TransientTransactionError"}},
	}
}

// duplicate is what a server says of an upsert that lost the race for _id.
func duplicate(index string) bson.D {
	text := "E11000 duplicate key error collection: db.c index: " + index + " dup key: { _id: 1 }"
	return ok(bson.E{Key: "n", Value: 0}, bson.E{Key: "writeErrors", Value: bson.A{
		bson.D{{Key: "index", Value: 0}, {Key: "code", Value: 11000}, {Key: "errmsg", Value: text}},
	}})
}

func found(docs ...any) bson.D {
	return ok(bson.E{Key: "cursor", Value: bson.D{
		{Key: "id", Value: int64(0)}, {Key: "ns", Value: "db.c"}, {Key: "firstBatch", Value: append(bson.A{}, docs...)},
	}})
}
