// SPDX-License-Identifier: Apache-2.0

package golemhttp_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/golem-workers/golem-go/golemhttp"
)

func TestNothingIsTheDefaultMux(t *testing.T) {
	golemhttp.Serve(nil)
	if golemhttp.Handler() != http.Handler(http.DefaultServeMux) {
		t.Error(golemhttp.Handler())
	}
}

func TestFailingPanicsWithTheError(t *testing.T) {
	cause := errors.New("the stock is out of reach")
	defer func() {
		if err, ok := recover().(error); !ok || !errors.Is(err, cause) || err.Error() != cause.Error() {
			t.Error(err)
		}
	}()
	golemhttp.Fail(cause)
}

func ExampleServe() {
	total := 0
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add", func(w http.ResponseWriter, r *http.Request) {
		total++
		fmt.Fprint(w, total)
	})
	// In an init function, once.
	golemhttp.Serve(mux)

	// In a test:
	recorder := httptest.NewRecorder()
	golemhttp.Handler().ServeHTTP(recorder, httptest.NewRequest("POST", "/add", nil))
	fmt.Println(recorder.Code, recorder.Body)
	// Output: 200 1
}
