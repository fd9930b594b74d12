// SPDX-License-Identifier: Apache-2.0

// Package golemhttp lets a worker answer HTTP with an http.Handler. A program that imports it exports
// wasi:http/incoming-handler; call Serve in an init function:
//
//	func init() {
//		mux := http.NewServeMux()
//		mux.HandleFunc("GET /total", total)
//		golemhttp.Serve(mux)
//	}
//
// The server calls it for ANY /v1/components/ID/workers/NAME/http/PATH. Each request is an invocation of the worker: one
// after the other, in its log, exactly once if it has an Idempotency-Key. The context of the request is done when the
// invocation has to be. Request and response are kept whole, 16 and 32 MiB at most; Flush does nothing.
//
// A handler that panics answers with status 500, as in package net/http, if nothing was sent yet, and the worker lives on
// with what the handler had changed. To let the invocation fail and be tried again, call Fail.
package golemhttp

import (
	"net/http"
	"sync"
)

var (
	mu      sync.Mutex
	handler http.Handler
)

// Serve sets what answers requests; nil is http.DefaultServeMux.
func Serve(h http.Handler) {
	mu.Lock()
	defer mu.Unlock()
	if h == nil {
		h = http.DefaultServeMux
	}
	handler = h
}

// Handler returns what Serve has set, to test it with package net/http/httptest; nil if nothing.
func Handler() http.Handler {
	mu.Lock()
	defer mu.Unlock()
	return handler
}

// failed is what Fail panics with.
type failed struct {
	err error
}

// Error is the text of the error.
func (f failed) Error() string {
	return f.err.Error()
}

// Unwrap returns the error.
func (f failed) Unwrap() error {
	return f.err
}

// Fail ends the invocation with an error, from inside a handler: nothing is answered, and the worker is brought back and
// tries again, under its retry policy.
func Fail(err error) {
	panic(failed{err})
}
