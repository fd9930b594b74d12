package main

import (
	"context"
	"log/slog"
	"slices"

	"github.com/golem-workers/golem-go/golemhost"
	"github.com/golem-workers/golem-go/golemlog"

	"go_module/internal/golem/api"
)

// cart is the state of a worker. It needs no database: it survives crashes as it is.
type cart struct {
	items []api.Item
	order string
}

// Add puts an item into the cart. The error is a value of the WIT type refusal: the caller gets it, and the worker goes on.
func (c *cart) Add(_ context.Context, what api.Item) error {
	if c.order != "" {
		return api.RefusalClosed{Value: c.order}
	}
	slog.Info("added", "product", what.Product, "pieces", what.Pieces)
	if i := c.find(what.Product); i >= 0 {
		c.items[i].Pieces += what.Pieces
		return nil
	}
	c.items = append(c.items, what)
	return nil
}

// Remove takes a product out.
func (c *cart) Remove(_ context.Context, product string) error {
	i := c.find(product)
	switch {
	case c.order != "":
		return api.RefusalClosed{Value: c.order}
	case i < 0:
		return api.RefusalUnknown{Value: product}
	}
	c.items = slices.Delete(c.items, i, i+1)
	return nil
}

// Items returns what is in the cart.
func (c *cart) Items(context.Context) ([]api.Item, error) {
	return c.items, nil
}

// Total returns what all of it costs.
func (c *cart) Total(context.Context) (uint64, error) {
	var cents uint64
	for _, item := range c.items {
		cents += uint64(item.Cents) * uint64(item.Pieces)
	}
	return cents, nil
}

// Checkout closes the cart. The number of the order is random, and the same when the worker's history is repeated.
func (c *cart) Checkout(context.Context) (string, error) {
	switch {
	case c.order != "":
		return "", api.RefusalClosed{Value: c.order}
	case len(c.items) == 0:
		return "", api.RefusalEmpty{}
	}
	c.order = golemhost.GenerateIdempotencyKey().String()
	slog.Info("closed", "order", c.order)
	return c.order, nil
}

func (c *cart) find(product string) int {
	return slices.IndexFunc(c.items, func(item api.Item) bool { return item.Product == product })
}

func init() {
	golemlog.Install("cart")
	api.Export(&cart{})
}

// main is never called: a component only answers calls of its exports.
func main() {}
