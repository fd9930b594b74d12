// Program web uses the parts of the SDK that need net/http: requests in both directions.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"example.com/sdk/web/internal/golem/client"
	"github.com/golem-workers/golem-go/golemhttp"
	_ "github.com/golem-workers/golem-go/net/http"
)

// total is what requests to this worker have added.
var total int

type web struct{}

func init() {
	client.Export(web{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /total", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, total) })
	mux.HandleFunc("POST /add/{text}", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		total += len(body)
		w.Header().Set("X-Total", fmt.Sprint(total))
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, "%s %s %s %d", r.PathValue("text"), r.URL.Query().Get("q"), r.Header.Get("X-Sent"), len(body))
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, r *http.Request) {
		for range 1000 {
			fmt.Fprint(w, strings.Repeat("x", 1000))
		}
	})
	mux.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("a bug in a handler") })
	golemhttp.Serve(mux)
}

func main() {}

func outcome(response *http.Response, err error) string {
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return "too late"
		}
		return "error: " + err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "error: " + err.Error()
	}
	if len(body) > 100 {
		return fmt.Sprintf("%d %d bytes", response.StatusCode, len(body))
	}
	return fmt.Sprintf("%d %s", response.StatusCode, body)
}

func (web) Get(_ context.Context, url string) (string, error) {
	return outcome(http.Get(url)), nil
}

func (web) Post(_ context.Context, url string, bytes uint32) (string, error) {
	// The length is not known beforehand.
	body := io.LimitReader(zeroes{}, int64(bytes))
	return outcome(http.Post(url, "application/octet-stream", body)), nil
}

type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

func (web) Race(ctx context.Context, fast, slow string, millis uint64) ([]string, error) {
	outcomes := make([]string, 2)
	var wait sync.WaitGroup
	wait.Add(2)
	go func() {
		defer wait.Done()
		outcomes[0] = outcome(http.Get(fast))
	}()
	go func() {
		defer wait.Done()
		client := http.Client{Timeout: time.Duration(millis) * time.Millisecond}
		outcomes[1] = outcome(client.Get(slow))
	}()
	wait.Wait()
	return outcomes, nil
}

func (web) Relay(_ context.Context, url, to string) (string, error) {
	response, err := http.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	part := make([]byte, 64)
	n, err := response.Body.Read(part)
	if err != nil {
		return "", err
	}
	told, err := http.Post(to, "text/plain", strings.NewReader(string(part[:n])))
	if err != nil {
		return "", err
	}
	told.Body.Close()
	rest, err := io.ReadAll(response.Body)
	return string(part[:n]) + string(rest), err
}
