// SPDX-License-Identifier: Apache-2.0

//go:build wasip1

package golemhttp

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"strconv"

	"github.com/golem-workers/golem-go/golemhost"
	"github.com/golem-workers/golem-go/internal/flow"
	"github.com/golem-workers/golem-go/internal/httpflow"
	"github.com/golem-workers/golem-go/internal/platform/httptypes"
	"github.com/golem-workers/golem-go/internal/platform/incominghandler"
	"github.com/golem-workers/golem-go/wit"
)

type exports struct{}

func init() {
	incominghandler.Export(exports{})
}

func (exports) Handle(ctx context.Context, incoming *httptypes.IncomingRequest, out *httptypes.ResponseOutparam) error {
	handler := Handler()
	if handler == nil {
		return errors.New("nothing answers requests: call golemhttp.Serve in an init function")
	}
	ctx, cancel := golemhost.WithDeadline(ctx)
	defer cancel()
	w := &answer{ctx: ctx, out: out, header: http.Header{}}
	request, err := read(ctx, incoming)
	if err != nil {
		// Whoever sends nonsense must not be able to make the worker fail.
		http.Error(w, err.Error(), http.StatusBadRequest)
		return w.end()
	}
	w.head = request.Method == http.MethodHead
	serve(handler, w, request)
	// Some handlers leave the body unread.
	_ = request.Body.Close()
	return w.end()
}

// serve calls the handler. A panic of it is told on standard error, like in package net/http.
func serve(handler http.Handler, w *answer, request *http.Request) {
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		if failed, ok := cause.(failed); ok {
			panic(failed)
		}
		if cause != http.ErrAbortHandler {
			_, _ = os.Stderr.WriteString("golemhttp: a handler panics: " + text(cause) + "\n" + string(debug.Stack()))
		}
		w.abort()
	}()
	handler.ServeHTTP(w, request)
}

func text(cause any) string {
	switch cause := cause.(type) {
	case error:
		return cause.Error()
	case string:
		return cause
	default:
		return "a value of another type"
	}
}

func read(ctx context.Context, incoming *httptypes.IncomingRequest) (*http.Request, error) {
	defer incoming.Close()
	path := "/"
	if found := incoming.PathWithQuery(); found != nil {
		path = *found
	}
	location, err := url.ParseRequestURI(path)
	if err != nil {
		return nil, err
	}
	header := httpflow.Header(incoming.Headers())
	host := header.Get("Host")
	if authority := incoming.Authority(); authority != nil {
		host = *authority
	}
	header.Del("Host")
	request := &http.Request{
		Method:        httpflow.MethodName(incoming.Method()),
		URL:           location,
		RequestURI:    path,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Host:          host,
		ContentLength: httpflow.Length(header),
	}
	body, err := incoming.Consume()
	if err != nil {
		return nil, err
	}
	reader, err := httpflow.NewBody(ctx, body, &request.Trailer)
	if err != nil {
		return nil, err
	}
	request.Body = reader
	return request.WithContext(ctx), nil
}

// answer is the http.ResponseWriter of one request.
type answer struct {
	ctx    context.Context
	out    *httptypes.ResponseOutparam
	header http.Header
	// head says that the body is only counted: the request's method is HEAD.
	head bool

	// status is 0 until WriteHeader; the response begins with the first bytes of its body, whose type is told by them.
	status int
	sent   http.Header
	begun  bool
	body   *httptypes.OutgoingBody
	stream *flow.Writer
	err    error
}

// Header returns the header, which counts until the first Write or WriteHeader.
func (a *answer) Header() http.Header {
	return a.header
}

// WriteHeader sets the status; the header counts as it is now. Informational responses are not sent.
func (a *answer) WriteHeader(status int) {
	if a.status != 0 || status >= 100 && status < 200 {
		return
	}
	if status < 100 || status > 999 {
		panic("golemhttp: no status: " + strconv.Itoa(status))
	}
	a.status, a.sent = status, a.header.Clone()
}

// begin sends the head of the response. The first bytes of the body, if there are some, tell its type.
func (a *answer) begin(first []byte) error {
	a.WriteHeader(http.StatusOK)
	a.begun = true
	if _, ok := a.sent["Content-Type"]; !ok && len(first) > 0 && a.sent.Get("Content-Encoding") == "" {
		a.sent.Set("Content-Type", http.DetectContentType(first))
	}
	fields, err := httpflow.Fields(a.sent)
	if err != nil {
		return err
	}
	response := httptypes.NewOutgoingResponse(fields)
	if err := response.SetStatusCode(uint16(a.status)); err != nil {
		response.Close()
		return err
	}
	body, err := response.Body()
	if err != nil {
		response.Close()
		return err
	}
	httptypes.ResponseOutparamSet(a.out, wit.Ok[*httptypes.OutgoingResponse, httptypes.ErrorCode](response))
	stream, err := body.Write()
	if err != nil {
		body.Close()
		return err
	}
	a.body, a.stream = body, flow.NewWriter(a.ctx, stream)
	return nil
}

// Write writes a part of the body.
func (a *answer) Write(p []byte) (int, error) {
	if !a.begun {
		a.err = a.begin(p)
	}
	if a.err != nil {
		return 0, a.err
	}
	if a.head {
		return len(p), nil
	}
	n, err := a.stream.Write(p)
	if err != nil {
		a.err = err
	}
	return n, err
}

// Flush does nothing: the platform sends responses whole.
func (a *answer) Flush() {}

// abort answers with status 500, unless something was sent already.
func (a *answer) abort() {
	if !a.begun {
		a.status, a.sent = http.StatusInternalServerError, http.Header{}
	}
}

// end finishes the response.
func (a *answer) end() error {
	if !a.begun {
		a.err = a.begin(nil)
	}
	if a.stream != nil {
		if err := a.stream.Close(); err != nil && a.err == nil {
			a.err = err
		}
		if err := httptypes.OutgoingBodyFinish(a.body, nil); err != nil && a.err == nil {
			a.err = err
		}
	}
	return a.err
}
