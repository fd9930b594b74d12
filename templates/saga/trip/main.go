// Program trip books several places, all of them or none.
package main

import (
	"context"
	"fmt"

	"github.com/golem-workers/golem-go/golemhost"
	"github.com/golem-workers/golem-go/golemhost/transaction"
	"github.com/golem-workers/golem-go/wit"
	"github.com/golem-workers/golem-go/worker"

	"go_module/trip/internal/golem/booking"
	"go_module/trip/internal/golem/travel"
)

type trip struct{}

// Plan books one place after the other. When one cannot be booked, the transaction cancels what was booked before, last
// first. A server that is killed in the middle goes on where it was: nothing is booked twice, nothing is left behind.
func (trip) Plan(ctx context.Context, places []string) ([]uint32, error) {
	who := golemhost.GetSelfMetadata().WorkerId.WorkerName
	numbers, err := transaction.Fallible(func(tx transaction.FallibleTx) ([]uint32, error) {
		var numbers []uint32
		for _, place := range places {
			number, err := transaction.ExecuteFallible(tx, book(ctx, place), who)
			if err != nil {
				return nil, err
			}
			numbers = append(numbers, number)
		}
		return numbers, nil
	})
	if err != nil {
		return nil, wit.Error(err.Error())
	}
	return numbers, nil
}

// book is the operation: how a place is booked, and how that is taken back.
func book(ctx context.Context, place string) transaction.Operation[string, uint32] {
	return transaction.NewOperation(
		func(who string) (uint32, error) {
			client := booking.NewPlaces(worker.ID("booking", place))
			defer client.Close()
			number, err := client.Book(ctx, who)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", place, err)
			}
			return number, nil
		},
		func(_ string, number uint32) error {
			client := booking.NewPlaces(worker.ID("booking", place))
			defer client.Close()
			return client.Cancel(ctx, number)
		},
	)
}

func init() {
	travel.Export(trip{})
}

// main is never called: a component only answers calls of its exports.
func main() {}
