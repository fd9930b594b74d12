// SPDX-License-Identifier: Apache-2.0

package http_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	golemhttp "github.com/golem-workers/golem-go/net/http"
)

func TestOutsideAWorkerTheStandardLibrarySends(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	}))
	defer server.Close()
	golemhttp.InitStd()
	request, _ := http.NewRequest(http.MethodPost, server.URL, http.NoBody)
	response, err := (&golemhttp.WasiHttpTransport{}).RoundTrip(request)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response, err)
	}
	_ = response.Body.Close()
}

func TestSlowPeersAreTimeouts(t *testing.T) {
	for code, timeout := range map[string]bool{"connection-timeout": true, "connection-refused": false} {
		if err := (&golemhttp.Error{Code: code}); err.Timeout() != timeout || err.Error() != code {
			t.Error(err, err.Timeout())
		}
	}
	if err := (&golemhttp.Error{Code: "internal-error", Detail: "why"}); err.Error() != "internal-error: why" {
		t.Error(err)
	}
}

func ExampleWasiHttpTransport() {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	// A client of its own; http.Get does the same as soon as this package is imported.
	client := http.Client{Transport: &golemhttp.WasiHttpTransport{}}
	response, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	fmt.Println(response.Status)
	// Output: 404 Not Found
}
