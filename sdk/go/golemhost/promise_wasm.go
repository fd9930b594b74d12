// SPDX-License-Identifier: Apache-2.0

//go:build wasip1

package golemhost

import (
	"context"

	"github.com/golem-workers/golem-go/internal/platform/workerhost"
	"github.com/golem-workers/golem-go/rpc"
)

func waitForPromise(ctx context.Context, id PromiseID) error {
	pollable := workerhost.SubscribePromise(id.host())
	defer pollable.Close()
	return rpc.Wait(ctx, pollable)
}
