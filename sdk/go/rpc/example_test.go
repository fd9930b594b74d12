// SPDX-License-Identifier: Apache-2.0

//go:build !wasip1

package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/golem-workers/golem-go/rpc"
)

func ExampleAll() {
	// In a worker these come from the …Async methods of clients.
	first, second := rpc.Ready(1, nil), rpc.Go(func() (int, error) { return 2, nil })
	fmt.Println(rpc.All(context.Background(), first, second))
	// Output: [1 2] <nil>
}

func ExampleAny() {
	failed := rpc.Ready(0, errors.New("no"))
	at, value, err := rpc.Any(context.Background(), failed, rpc.Ready(7, nil))
	fmt.Println(at, value, err)
	// Output: 1 7 <nil>
}

func ExampleFuture_Await() {
	never := rpc.NewFuture[int](nil, nil, nil)
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err := never.Await(ctx)
	fmt.Println(errors.Is(err, rpc.ErrTimeout))
	// Output: true
}

func ExampleError() {
	err := fmt.Errorf("ask the stock: %w", rpc.NewError(rpc.KindNotFound, "worker main"))
	var failed *rpc.Error
	fmt.Println(errors.Is(err, rpc.ErrNotFound), errors.As(err, &failed))
	fmt.Println(failed.Message)
	// Output:
	// true true
	// worker main
}
