// SPDX-License-Identifier: Apache-2.0

//go:build wasip1

package httpflow

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"

	"github.com/golem-workers/golem-go/internal/flow"
	"github.com/golem-workers/golem-go/internal/platform/httptypes"
)

// Method returns the platform's form of a method.
func Method(name string) httptypes.Method {
	switch name {
	case "", http.MethodGet:
		return httptypes.MethodGet{}
	case http.MethodHead:
		return httptypes.MethodHead{}
	case http.MethodPost:
		return httptypes.MethodPost{}
	case http.MethodPut:
		return httptypes.MethodPut{}
	case http.MethodDelete:
		return httptypes.MethodDelete{}
	case http.MethodConnect:
		return httptypes.MethodConnect{}
	case http.MethodOptions:
		return httptypes.MethodOptions{}
	case http.MethodTrace:
		return httptypes.MethodTrace{}
	case http.MethodPatch:
		return httptypes.MethodPatch{}
	default:
		return httptypes.MethodOther{Value: name}
	}
}

// MethodName returns the name of a method.
func MethodName(method httptypes.Method) string {
	switch method := method.(type) {
	case httptypes.MethodGet:
		return http.MethodGet
	case httptypes.MethodHead:
		return http.MethodHead
	case httptypes.MethodPost:
		return http.MethodPost
	case httptypes.MethodPut:
		return http.MethodPut
	case httptypes.MethodDelete:
		return http.MethodDelete
	case httptypes.MethodConnect:
		return http.MethodConnect
	case httptypes.MethodOptions:
		return http.MethodOptions
	case httptypes.MethodTrace:
		return http.MethodTrace
	case httptypes.MethodPatch:
		return http.MethodPatch
	case httptypes.MethodOther:
		return method.Value
	default:
		return ""
	}
}

// Fields returns the platform's form of a header, in the order of the names, without some names and without those that
// belong to the connection.
func Fields(header http.Header, without ...string) (*httptypes.Fields, error) {
	names := make([]string, 0, len(header))
	for name := range header {
		if !slices.Contains(without, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	fields := httptypes.NewFields()
	for _, name := range names {
		for _, value := range header[name] {
			err := fields.Append(name, []byte(value))
			var forbidden httptypes.HeaderErrorForbidden
			if err != nil && !errors.As(err, &forbidden) {
				fields.Close()
				return nil, errors.New("header " + strconv.Quote(name) + ": " + err.Error())
			}
		}
	}
	return fields, nil
}

// Header reads fields and gives them back.
func Header(fields *httptypes.Fields) http.Header {
	defer fields.Close()
	header := http.Header{}
	for _, entry := range fields.Entries() {
		header.Add(entry.F0, string(entry.F1))
	}
	return header
}

// Length returns what a header says of the length of the body, -1 if nothing.
func Length(header http.Header) int64 {
	length, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64)
	if err != nil || length < 0 {
		return -1
	}
	return length
}

// Body reads the body of a message, and at its end the trailers.
type Body struct {
	reader  *flow.Reader
	body    *httptypes.IncomingBody
	trailer *http.Header
}

// NewBody returns a reader of a body, which it owns from here on. The trailers go to trailer, which may be nil.
func NewBody(ctx context.Context, body *httptypes.IncomingBody, trailer *http.Header) (*Body, error) {
	stream, err := body.Stream()
	if err != nil {
		body.Close()
		return nil, err
	}
	return &Body{flow.NewReader(ctx, stream), body, trailer}, nil
}

// Read reads what is there, up to the length of p.
func (b *Body) Read(p []byte) (int, error) {
	n, err := b.reader.Read(p)
	if err == io.EOF {
		b.finish()
	}
	return n, err
}

// finish takes the trailers.
func (b *Body) finish() {
	if b.body == nil {
		return
	}
	future := httptypes.IncomingBodyFinish(b.body)
	defer future.Close()
	b.body = nil
	got := future.Get()
	if got == nil || got.IsErr() {
		return
	}
	outcome := got.Unwrap()
	if outcome.IsErr() {
		return
	}
	fields := outcome.Unwrap()
	if fields == nil {
		return
	}
	header := Header(fields)
	if b.trailer == nil || len(header) == 0 {
		return
	}
	if *b.trailer == nil {
		*b.trailer = header
		return
	}
	for name, values := range header {
		(*b.trailer)[name] = values
	}
}

// Close gives the body back; the rest of it is not read.
func (b *Body) Close() error {
	b.reader.Close()
	if b.body != nil {
		b.body.Close()
		b.body = nil
	}
	return nil
}
