package memetcd

import (
	"context"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// breaker is a stream of either kind, as the server keeps them.
type breaker interface{ end(err error) }

// stream is the client's side of a two-way stream. Answers wait in an unbounded
// queue, so that the server never waits for a slow reader.
type stream[Req, Resp any] struct {
	grpc.ClientStream // nil: only the methods below are ever called

	ctx    context.Context // ends with the stream
	cancel context.CancelFunc
	srv    *Server
	handle func(*Req) error
	onEnd  func() // runs once, without locks held
	async  bool   // handle may block: Send must not wait for it

	nextID int64 // of watches; guarded by the server's lock

	mu      sync.Mutex
	inbox   []*Req
	working bool // a goroutine empties the inbox
	queue   []*Resp
	err     error
	wake    chan struct{}
}

// newStream makes a stream. The caller sets handle and onEnd before it starts it.
func newStream[Req, Resp any](ctx context.Context, c *conn) *stream[Req, Resp] {
	ctx, cancel := context.WithCancel(ctx) //nolint:gosec // end calls it
	return &stream[Req, Resp]{
		ctx: ctx, cancel: cancel,
		srv:   c.srv,
		async: c.intercept != nil,
		wake:  make(chan struct{}, 1),
	}
}

func (st *stream[Req, Resp]) start() error {
	// Registered first: what breaks the streams from now on breaks this one.
	st.srv.mu.Lock()
	st.srv.streams[st] = struct{}{}
	st.srv.mu.Unlock()
	if err := st.srv.refuse(); err != nil {
		st.end(err)
		return err
	}
	context.AfterFunc(st.ctx, func() { st.end(status.FromContextError(st.ctx.Err()).Err()) })
	return nil
}

// end makes the stream fail with err once its queue is read. Only the first end
// counts. The server forgets the stream.
func (st *stream[Req, Resp]) end(err error) {
	st.mu.Lock()
	first := st.err == nil
	if first {
		st.err = err
	}
	st.mu.Unlock()
	if !first {
		return
	}
	st.cancel()
	st.signal()
	if st.onEnd != nil {
		st.onEnd()
	}
	st.srv.mu.Lock()
	delete(st.srv.streams, st)
	st.srv.mu.Unlock()
}

func (st *stream[Req, Resp]) ended() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.err != nil
}

func (st *stream[Req, Resp]) push(resp *Resp) {
	st.mu.Lock()
	if st.err == nil {
		st.queue = append(st.queue, resp)
	}
	st.mu.Unlock()
	st.signal()
}

func (st *stream[Req, Resp]) signal() {
	select {
	case st.wake <- struct{}{}:
	default:
	}
}

// Send hands a request to the server. As with gRPC, a stream that has ended
// answers io.EOF and Recv says why.
func (st *stream[Req, Resp]) Send(req *Req) error {
	if st.ended() || st.ctx.Err() != nil {
		return io.EOF
	}
	if !st.async {
		st.serve(req)
		return nil
	}
	st.mu.Lock()
	st.inbox = append(st.inbox, req)
	idle := !st.working
	st.working = true
	st.mu.Unlock()
	if idle {
		go st.work()
	}
	return nil
}

func (st *stream[Req, Resp]) serve(req *Req) {
	if err := st.handle(req); err != nil {
		st.end(err)
	}
}

// work serves the inbox in order and returns when it is empty.
func (st *stream[Req, Resp]) work() {
	for {
		st.mu.Lock()
		if len(st.inbox) == 0 || st.err != nil {
			st.working = false
			st.mu.Unlock()
			return
		}
		req := st.inbox[0]
		st.inbox = st.inbox[1:]
		st.mu.Unlock()
		st.serve(req)
	}
}

// Recv waits for the next answer. One goroutine at a time may call it.
func (st *stream[Req, Resp]) Recv() (*Resp, error) {
	for {
		st.mu.Lock()
		if len(st.queue) > 0 {
			resp := st.queue[0]
			st.queue = st.queue[1:]
			st.mu.Unlock()
			return resp, nil
		}
		err := st.err
		st.mu.Unlock()
		if err != nil {
			return nil, err
		}
		<-st.wake // the end of ctx ends the stream, which wakes too
	}
}

func (st *stream[Req, Resp]) Context() context.Context { return st.ctx }

func (st *stream[Req, Resp]) CloseSend() error { return nil }

func (st *stream[Req, Resp]) Header() (metadata.MD, error) { return nil, nil }

func (st *stream[Req, Resp]) Trailer() metadata.MD { return nil }
