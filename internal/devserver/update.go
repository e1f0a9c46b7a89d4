package devserver

import (
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// FerretDB's update command differs from MongoDB's where a repository must be
// able to count on it. It gives up at the first statement that fails and does
// not say which; it reports a broken unique index as an internal error and
// hangs up, unless the statement was inserting; and it keeps one of its 100
// database connections for each statement until the command ends. So each
// statement goes as a command of its own, and the answers are put together the
// way MongoDB does it.

const (
	codeInternal     = 1
	codeDuplicateKey = 11000
)

// update runs an update command statement by statement.
func (s *serializer) update(req message) (message, error) {
	cmd, err := req.document()
	if err != nil {
		return nil, err
	}
	head, statements, ordered, err := splitUpdate(cmd)
	if err != nil {
		return nil, err
	}
	line := &line{target: s.target}
	defer line.close()
	var n, modified int32
	upserted, failed := bson.A{}, bson.A{}
	for i, st := range statements {
		if st, err = line.narrowStatement(head, st); err != nil {
			return nil, err
		}
		res, err := line.run(append(slices.Clone(head), bson.E{Key: "updates", Value: bson.A{st}}))
		if err != nil {
			return nil, err
		}
		werr, isWriteError := res.writeError()
		switch {
		case isWriteError:
			failed = append(failed, append(bson.D{{Key: "index", Value: int32(i)}}, werr...))
		case res.OK != 1:
			return res.reply(req), nil // it concerns the whole command
		}
		n += res.N
		modified += res.NModified
		for _, u := range res.Upserted {
			upserted = append(upserted, bson.D{{Key: "index", Value: int32(i)}, {Key: "_id", Value: u.ID}})
		}
		if isWriteError && ordered {
			break
		}
	}
	doc := bson.D{{Key: "n", Value: n}, {Key: "nModified", Value: modified}}
	if len(upserted) > 0 {
		doc = append(doc, bson.E{Key: "upserted", Value: upserted})
	}
	if len(failed) > 0 {
		doc = append(doc, bson.E{Key: "writeErrors", Value: failed})
	}
	return newMessage(append(doc, bson.E{Key: "ok", Value: 1.0}), req.id())
}

// findAndModify runs the command on a connection of its own and gives its
// error the code that MongoDB has for it.
func (s *serializer) findAndModify(req message) (message, error) {
	cmd, err := req.document()
	if err != nil {
		return nil, err
	}
	line := &line{target: s.target}
	defer line.close()
	if err := line.narrowFilter(cmd, cmd, "query"); err != nil {
		return nil, err
	}
	res, err := line.run(cmd)
	if err != nil {
		return nil, err
	}
	if werr, bad := res.writeError(); bad {
		return newMessage(append(bson.D{{Key: "ok", Value: 0.0}}, werr...), req.id())
	}
	return res.reply(req), nil
}

// splitUpdate takes the statements out of an update command.
func splitUpdate(cmd bson.D) (head bson.D, statements bson.A, ordered bool, err error) {
	ordered = true
	for _, el := range cmd {
		switch el.Key {
		case "updates":
			list, ok := el.Value.(bson.A)
			if !ok {
				return nil, nil, false, fmt.Errorf("devserver: updating: the statements of a command are a %T", el.Value)
			}
			statements = list
			continue
		case "ordered":
			v, _ := el.Value.(bson.RawValue)
			ordered, _ = v.BooleanOK()
		}
		head = append(head, el)
	}
	return head, statements, ordered, nil
}

// line is a connection to the server that is replaced when the server hangs
// up, as it does after an internal error.
type line struct {
	target string
	conn   net.Conn
	lastID uint32
}

func (l *line) close() {
	if l.conn != nil {
		l.conn.Close()
		l.conn = nil
	}
}

func (l *line) run(cmd bson.D) (*result, error) {
	if l.conn == nil {
		c, err := net.Dial("tcp", l.target)
		if err != nil {
			return nil, err
		}
		l.conn = c
	}
	l.lastID++
	req, err := newMessage(cmd, 0)
	if err != nil {
		return nil, err
	}
	binary.LittleEndian.PutUint32(req[4:], l.lastID)
	if _, err := l.conn.Write(req); err != nil {
		return nil, err
	}
	reply, err := readMessage(l.conn)
	if err != nil {
		return nil, err
	}
	res := &result{raw: reply}
	body, err := reply.body()
	if err != nil {
		return nil, err
	}
	if err := bson.Unmarshal(body, res); err != nil {
		return nil, err
	}
	if res.OK != 1 {
		l.close()
	}
	return res, nil
}

// result is what the server says of one statement.
type result struct {
	N         int32 `bson:"n"`
	NModified int32 `bson:"nModified"`
	Upserted  []struct {
		ID bson.RawValue `bson:"_id"`
	} `bson:"upserted"`
	WriteErrors []struct {
		Code    int32  `bson:"code"`
		Message string `bson:"errmsg"`
	} `bson:"writeErrors"`
	OK      float64 `bson:"ok"`
	Code    int32   `bson:"code"`
	Message string  `bson:"errmsg"`

	raw message
}

// writeError returns the code and the text where the statement, and not the
// command, is at fault.
func (r *result) writeError() (bson.D, bool) {
	code, text := r.Code, r.Message
	switch {
	case len(r.WriteErrors) > 0:
		code, text = r.WriteErrors[0].Code, r.WriteErrors[0].Message
	case r.OK == 1:
		return nil, false
	case code == codeInternal && strings.Contains(text, "UNIQUE constraint failed"):
		code, text = codeDuplicateKey, "E11000 duplicate key error: "+text
	case code != codeDuplicateKey:
		return nil, false
	}
	return bson.D{{Key: "code", Value: code}, {Key: "errmsg", Value: text}}, true
}

// reply passes the server's answer on as the answer to req.
func (r *result) reply(req message) message {
	binary.LittleEndian.PutUint32(r.raw[8:], req.id())
	return r.raw
}
