package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	// Lets net/http send through the platform.
	_ "github.com/golem-workers/golem-go/net/http"
	"github.com/golem-workers/golem-go/wit"

	"go_module/internal/golem/api"
)

// patience is how long the service may take.
const patience = 20 * time.Second

// weather is the state of a worker.
type weather struct {
	answers []string
}

// Ask asks the service at WEATHER_URL, a variable of the worker's environment. The answer is in the worker's log, so the
// service is not asked again when the worker is brought back. A request that the server was killed in is sent again: a
// service that changes something needs a key to tell, see golemhost.GenerateIdempotencyKey.
func (w *weather) Ask(ctx context.Context, city string) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	degrees, err := fetch(ctx, os.Getenv("WEATHER_URL"), city)
	if err != nil {
		return 0, wit.Error(err.Error())
	}
	w.answers = append(w.answers, fmt.Sprintf("%s: %.1f", city, degrees))
	return degrees, nil
}

// Answers returns all answers so far.
func (w *weather) Answers(context.Context) ([]string, error) {
	return w.answers, nil
}

// fetch is ordinary Go: the same code runs in a worker and in a test.
func fetch(ctx context.Context, service, city string) (float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, service+"?city="+url.QueryEscape(city), nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("the service says %s", response.Status)
	}
	var answer struct {
		Celsius float64 `json:"celsius"`
	}
	err = json.NewDecoder(response.Body).Decode(&answer)
	return answer.Celsius, err
}

func init() {
	api.Export(&weather{})
}

// main is never called: a component only answers calls of its exports.
func main() {}
