package main

import (
	"context"
	"errors"
	"slices"
	"testing"

	"go_module/booking/internal/golem/places"
)

func TestPlacesAreBookedAndGivenBack(t *testing.T) {
	ctx := context.Background()
	b := &booking{number: 1, guests: map[uint32]string{}}
	number, err := b.Book(ctx, "ada")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Book(ctx, "grace"); !errors.Is(err, places.RefusalFull) {
		t.Fatal(err)
	}
	if err := b.Cancel(ctx, number); err != nil {
		t.Fatal(err)
	}
	if err := b.Cancel(ctx, number); err == nil {
		t.Fatal("a booking was given back twice")
	}
	if _, err := b.Book(ctx, "grace"); err != nil {
		t.Fatal(err)
	}
	if names, _ := b.Guests(ctx); !slices.Equal(names, []string{"grace"}) {
		t.Fatal(names)
	}
}
