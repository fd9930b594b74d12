// SPDX-License-Identifier: Apache-2.0

// Package http lets the HTTP client of the standard library work in a worker: importing it makes its transport
// http.DefaultTransport, so http.Get and every http.Client without a transport of its own send through the platform.
//
//	import (
//		"net/http"
//
//		_ "github.com/golem-workers/golem-go/net/http"
//	)
//
// What a request was and what came back is in the worker's log: a request is sent once, and a worker that is brought back
// sees the same response. A request whose response was not recorded when the server was lost is sent again, unless
// golemhost.SetIdempotenceMode(false) forbids it; golemhost.GenerateIdempotencyKey makes a key that stays the same.
// Bodies are read and written as streams. That of a request leaves as a whole, up to 32 MiB; that of a response comes piece by
// piece, without a limit, and what was read of it is not lost with the server. Redirects are followed by the standard library.
// A context ends the wait for a response.
//
// The server has to allow the address (--allow-network). Outside a worker this package changes nothing.
package http

import "net/http"

// WasiHttpTransport is a RoundTripper that sends through the platform. The zero value is ready to use. Outside a worker it
// is what http.DefaultTransport was.
type WasiHttpTransport struct{}

// RoundTrip sends a request and waits for its response; only the calling goroutine waits.
func (*WasiHttpTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	return roundTrip(request)
}

// InitStd does what importing this package has done already.
func InitStd() {
	InitStdDefaultClientTransport()
}

// InitStdDefaultClientTransport does what importing this package has done already.
func InitStdDefaultClientTransport() {
	install()
}

// Error is a request that got no response.
type Error struct {
	// Code is what the platform calls the failure, for example "connection-refused" or "HTTP-request-denied".
	Code string
	// Detail is what more is known; it may be empty.
	Detail string
}

// Error says what happened.
func (e *Error) Error() string {
	if e.Detail == "" {
		return e.Code
	}
	return e.Code + ": " + e.Detail
}

// Timeout tells whether the other side was too slow.
func (e *Error) Timeout() bool {
	switch e.Code {
	case "DNS-timeout", "connection-timeout", "connection-read-timeout", "connection-write-timeout", "HTTP-response-timeout":
		return true
	}
	return false
}
