package main

import (
	"context"
	"testing"

	"go_module/internal/golem/worker"
	"go_module/orders/internal/golem/shelf"
	"go_module/orders/internal/golem/stock"
)

// double takes the place of a worker of component stock.
type double struct {
	pieces uint32
}

func (d *double) Put(_ context.Context, pieces uint32) (uint32, error) {
	d.pieces += pieces
	return d.pieces, nil
}

func (d *double) Take(_ context.Context, pieces uint32) (uint32, error) {
	if pieces > d.pieces {
		return 0, shelf.ShortageOnly{Value: d.pieces}
	}
	d.pieces -= pieces
	return d.pieces, nil
}

func TestOrders(t *testing.T) {
	var asked []worker.URI
	tea := &double{pieces: 5}
	stock.FakeShelf(func(uri worker.URI) stock.ShelfWorker {
		asked = append(asked, uri)
		return tea
	})
	o := &orders{}
	if number, err := o.Order(context.Background(), "tea", 4); number != 1 || err != nil {
		t.Fatal(number, err)
	}
	if _, err := o.Order(context.Background(), "tea", 4); err == nil || err.Error() != "only 1 pieces of tea are left" {
		t.Fatal(err)
	}
	if len(o.orders) != 1 || len(asked) != 2 || asked[0] != worker.ID("stock", "tea") {
		t.Fatal(o.orders, asked)
	}
}
