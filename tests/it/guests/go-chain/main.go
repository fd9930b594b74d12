// SPDX-License-Identifier: Apache-2.0

// Program chain calls workers of its own kind.
package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"example.com/chain/internal/golem/chainclient"
	near "example.com/chain/internal/golem/links"
	"example.com/chain/internal/golem/rpc"
	"example.com/chain/internal/golem/worker"
)

type links struct {
	calls uint32
}

func (l *links) Pass(ctx context.Context, names []string, waiting near.Waiting) (string, error) {
	l.calls++
	if len(names) == 0 {
		return "end", nil
	}
	next := chainclient.NewLinks(worker.ID("chain", names[0]))
	defer next.Close()
	var reached string
	var err error
	switch waiting {
	case near.WaitingCall:
		reached, err = next.Pass(ctx, names[1:], chainclient.WaitingCall)
	case near.WaitingGoroutines:
		var wg sync.WaitGroup
		wg.Add(1)
		go func() {
			defer wg.Done()
			reached, err = next.Pass(ctx, names[1:], chainclient.WaitingGoroutines)
		}()
		wg.Wait()
	case near.WaitingAll:
		var all []string
		all, err = rpc.All(ctx, next.PassAsync(names[1:], chainclient.WaitingAll))
		if err == nil {
			reached = all[0]
		}
	}
	var failed *rpc.Error
	switch {
	case errors.Is(err, rpc.ErrDeadlock) && errors.As(err, &failed):
		return fmt.Sprintf("deadlock of %d", len(failed.Path)), nil
	case err != nil:
		return "", err
	}
	return names[0] + " " + reached, nil
}

func (l *links) Calls(context.Context) (uint32, error) {
	return l.calls, nil
}

func init() {
	near.Export(&links{})
}

func main() {}
