package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

func TestAsk(t *testing.T) {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("city") != "Oslo" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, `{"celsius": -3.5}`)
	}))
	defer service.Close()
	t.Setenv("WEATHER_URL", service.URL)

	w := &weather{}
	if degrees, err := w.Ask(context.Background(), "Oslo"); degrees != -3.5 || err != nil {
		t.Fatal(degrees, err)
	}
	if _, err := w.Ask(context.Background(), "Atlantis"); err == nil || err.Error() != "the service says 404 Not Found" {
		t.Fatal(err)
	}
	if !slices.Equal(w.answers, []string{"Oslo: -3.5"}) {
		t.Fatal(w.answers)
	}
}
