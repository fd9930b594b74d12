// SPDX-License-Identifier: Apache-2.0

//go:build !wasip1

package golemhost

import (
	"context"

	"github.com/golem-workers/golem-go/internal/double"
	"github.com/golem-workers/golem-go/rpc"
)

func waitForPromise(ctx context.Context, id PromiseID) error {
	done := double.PromiseDone(id.host())
	if done == nil {
		return ErrPromiseDeleted
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return rpc.Check(ctx)
	}
}
