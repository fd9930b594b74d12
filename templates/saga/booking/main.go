// Program booking keeps the places of a flight or a hotel.
package main

import (
	"context"
	"maps"
	"slices"

	"github.com/golem-workers/golem-go/wit"

	"go_module/booking/internal/golem/places"
)

// booking is the state of a worker.
type booking struct {
	number uint32
	last   uint32
	guests map[uint32]string
}

// Open says how many places there are.
func (b *booking) Open(_ context.Context, number uint32) error {
	b.number = number
	return nil
}

// Book books a place.
func (b *booking) Book(_ context.Context, who string) (uint32, error) {
	if uint32(len(b.guests)) >= b.number {
		return 0, places.RefusalFull
	}
	b.last++
	b.guests[b.last] = who
	return b.last, nil
}

// Cancel gives a booking back.
func (b *booking) Cancel(_ context.Context, number uint32) error {
	if _, ok := b.guests[number]; !ok {
		return wit.Error("there is no such booking")
	}
	delete(b.guests, number)
	return nil
}

// Guests tells who has booked.
func (b *booking) Guests(context.Context) ([]string, error) {
	var names []string
	for _, number := range slices.Sorted(maps.Keys(b.guests)) {
		names = append(names, b.guests[number])
	}
	return names, nil
}

func init() {
	places.Export(&booking{guests: map[uint32]string{}})
}

// main is never called: a component only answers calls of its exports.
func main() {}
