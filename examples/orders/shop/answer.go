package shop

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"

	"github.com/holdfast-go/holdfast/httpstatus"
)

// action does what a request asks for. What it returns with an error is the answer only
// where the error says that the write was done.
type action func(r *http.Request) (reply, error)

// reply is an answer; the zero status is 200.
type reply struct {
	status int
	body   any
}

// handler answers requests in JSON. Clients get the text of an error only where it is
// about their request. Others name tables and hosts, and go to the log.
func (a action) handler(log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, err := a(r)
		status := statusOf(err)
		switch {
		case err == nil:
		case status >= http.StatusInternalServerError:
			log.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "status", status, "error", err)
		default:
			log.InfoContext(r.Context(), "request refused", "method", r.Method, "path", r.URL.Path, "status", status, "error", err)
		}
		if status != http.StatusOK {
			text := http.StatusText(status)
			if status == http.StatusBadRequest || status == http.StatusUnprocessableEntity {
				text = err.Error()
			}
			answer = reply{status, map[string]string{"error": text}}
		}
		write(w, answer)
	})
}

// statusOf adds to the table of httpstatus what only handlers know. A client sends a
// request again after 409 and 503, and when it gets no answer.
func statusOf(err error) int {
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return http.StatusRequestEntityTooLarge
	}
	if errors.Is(err, ErrRefused) {
		return http.StatusUnprocessableEntity
	}
	return httpstatus.Of(err)
}

func write(w http.ResponseWriter, answer reply) {
	if answer.status == 0 {
		answer.status = http.StatusOK
	}
	if answer.body != nil {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(answer.status)
	if answer.body != nil {
		_ = json.NewEncoder(w).Encode(answer.body) // a client that left needs no answer
	}
}

// read decodes a body of at most limit bytes: one JSON value without unknown members.
func read(r *http.Request, limit int64, into any) error {
	dec := json.NewDecoder(http.MaxBytesReader(nil, r.Body, limit))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil {
		if _, err = dec.Token(); errors.Is(err, io.EOF) {
			return nil
		}
	}
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return err
	}
	if err == nil {
		return invalid("the body goes on behind the JSON value")
	}
	return invalid("the body: %v", err)
}
