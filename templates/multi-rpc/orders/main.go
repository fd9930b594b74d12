// Program orders takes orders and asks the stock for the pieces.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go_module/internal/golem/rpc"
	"go_module/internal/golem/wit"
	"go_module/internal/golem/worker"
	"go_module/orders/internal/golem/desk"
	"go_module/orders/internal/golem/shelf"
	"go_module/orders/internal/golem/stock"
)

// patience is how long the stock may take to answer.
const patience = 10 * time.Second

// orders is the state of a worker: one customer.
type orders struct {
	orders []string
}

// Order calls the worker of component stock that keeps the article; the first call makes it. The call happens once, also
// when the server is killed in the middle of it.
func (o *orders) Order(ctx context.Context, article string, pieces uint32) (uint32, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client := stock.NewShelf(worker.ID("stock", article))
	defer client.Close()

	_, err := client.Take(ctx, pieces)
	var shortage shelf.ShortageOnly
	switch {
	case errors.As(err, &shortage): // what the stock says
		return 0, wit.Error(fmt.Sprintf("only %d pieces of %s are left", shortage.Value, article))
	case errors.Is(err, rpc.ErrTimeout): // what went wrong with the call
		return 0, wit.Error("the stock does not answer, try again later")
	case err != nil:
		return 0, wit.Error(err.Error())
	}
	o.orders = append(o.orders, fmt.Sprintf("%d x %s", pieces, article))
	return uint32(len(o.orders)), nil
}

// Orders returns all orders so far.
func (o *orders) Orders(context.Context) ([]string, error) {
	return o.orders, nil
}

func init() {
	desk.Export(&orders{})
}

// main is never called: a component only answers calls of its exports.
func main() {}
