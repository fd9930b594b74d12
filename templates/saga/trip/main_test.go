package main

import (
	"context"
	"slices"
	"testing"

	"github.com/golem-workers/golem-go/golemtest"
	"github.com/golem-workers/golem-go/worker"

	"go_module/trip/internal/golem/booking"
	"go_module/trip/internal/golem/places"
)

// double takes the place of a worker of component booking.
type double struct {
	full  bool
	calls []string
}

func (d *double) Open(context.Context, uint32) error       { return nil }
func (d *double) Guests(context.Context) ([]string, error) { return nil, nil }
func (d *double) Cancel(_ context.Context, _ uint32) error {
	d.calls = append(d.calls, "cancel")
	return nil
}
func (d *double) Book(_ context.Context, _ string) (uint32, error) {
	if d.full {
		return 0, places.RefusalFull
	}
	d.calls = append(d.calls, "book")
	return 7, nil
}

func TestAllOrNothing(t *testing.T) {
	golemtest.Reset(t)
	workers := map[worker.URI]*double{}
	for _, name := range []string{"flight", "hotel", "opera"} {
		workers[worker.ID("booking", name)] = &double{full: name == "opera"}
	}
	booking.FakePlaces(func(uri worker.URI) booking.PlacesWorker { return workers[uri] })
	numbers, err := trip{}.Plan(context.Background(), []string{"flight", "hotel"})
	if !slices.Equal(numbers, []uint32{7, 7}) || err != nil {
		t.Fatal(numbers, err)
	}
	if _, err := (trip{}).Plan(context.Background(), []string{"flight", "hotel", "opera"}); err == nil {
		t.Fatal("a full opera was booked")
	}
	for _, name := range []string{"flight", "hotel"} {
		calls := workers[worker.ID("booking", name)].calls
		if !slices.Equal(calls, []string{"book", "book", "cancel"}) {
			t.Error(name, calls)
		}
	}
}
