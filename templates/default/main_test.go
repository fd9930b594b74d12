package main

import (
	"context"
	"errors"
	"testing"

	"github.com/golem-workers/golem-go/golemtest"

	"go_module/internal/golem/api"
)

func TestCart(t *testing.T) {
	golemtest.Reset(t)
	ctx := context.Background()
	c := &cart{}
	if _, err := c.Checkout(ctx); !errors.Is(err, api.RefusalEmpty{}) {
		t.Fatal("an empty cart was closed:", err)
	}
	for _, pieces := range []uint32{1, 2} {
		if err := c.Add(ctx, api.Item{Product: "tea", Cents: 450, Pieces: pieces}); err != nil {
			t.Fatal(err)
		}
	}
	if total, err := c.Total(ctx); total != 1350 || err != nil {
		t.Fatal(total, err)
	}
	if err := c.Remove(ctx, "gold"); !errors.Is(err, api.RefusalUnknown{Value: "gold"}) {
		t.Fatal(err)
	}
	order, err := c.Checkout(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Add(ctx, api.Item{Product: "milk"}); !errors.Is(err, api.RefusalClosed{Value: order}) {
		t.Fatal(err)
	}
}
