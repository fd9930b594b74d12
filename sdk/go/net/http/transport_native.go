// SPDX-License-Identifier: Apache-2.0

//go:build !wasip1

package http

import "net/http"

var native = http.DefaultTransport

func roundTrip(request *http.Request) (*http.Response, error) {
	return native.RoundTrip(request)
}

func install() {}
