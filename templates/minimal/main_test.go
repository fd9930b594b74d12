package main

import (
	"context"
	"testing"
)

// Workers are ordinary Go values here: no server, no WebAssembly.
func TestCounterAddsUp(t *testing.T) {
	c := &counter{}
	for _, value := range []uint64{3, 4} {
		if _, err := c.Add(context.Background(), value); err != nil {
			t.Fatal(err)
		}
	}
	if total, err := c.Get(context.Background()); err != nil || total != 7 {
		t.Fatalf("got %d, %v; want 7", total, err)
	}
}
