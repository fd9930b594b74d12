// SPDX-License-Identifier: Apache-2.0

package golemhost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/golem-workers/golem-go/internal/platform/apihost"
	"github.com/golem-workers/golem-go/internal/platform/workerhost"
)

// ErrPromiseDeleted is the error of waiting for a promise that was deleted or never made.
var ErrPromiseDeleted = errors.New("the promise does not exist")

// PromiseID names a promise: something that this worker waits for and somebody else brings, over REST, with the command
// line (golem-cli worker promise complete) or from another worker.
type PromiseID struct {
	WorkerID WorkerID
	OplogIdx OpLogIndex
}

func newPromiseID(id apihost.PromiseID) PromiseID {
	return PromiseID{WorkerID: newWorkerID(id.WorkerID), OplogIdx: OpLogIndex(id.OplogIdx)}
}

func (id PromiseID) host() apihost.PromiseID {
	return apihost.PromiseID{WorkerID: id.WorkerID.host(), OplogIdx: uint64(id.OplogIdx)}
}

// NewPromise makes a promise.
func NewPromise() PromiseID {
	return newPromiseID(apihost.CreatePromise())
}

// AwaitPromise waits until the promise has its value. All goroutines stop meanwhile, and the worker may leave memory.
func AwaitPromise(id PromiseID) []byte {
	return apihost.AwaitPromise(id.host())
}

// AwaitPromiseJSON waits like AwaitPromise and decodes the value into v, a pointer.
func AwaitPromiseJSON(id PromiseID, v any) error {
	return json.Unmarshal(AwaitPromise(id), v)
}

// AwaitPromiseContext waits until the promise has its value or ctx is done; only the calling goroutine waits. A wait that
// ctx ended leaves the promise as it is: it can be waited for again.
func AwaitPromiseContext(ctx context.Context, id PromiseID) ([]byte, error) {
	for {
		if data, ok := PollPromise(id); ok {
			return data, nil
		}
		if err := waitForPromise(ctx, id); err != nil {
			return nil, fmt.Errorf("waiting for a promise: %w", err)
		}
	}
}

// AwaitJSON waits like AwaitPromiseContext and decodes the value.
func AwaitJSON[T any](ctx context.Context, id PromiseID) (T, error) {
	var value T
	data, err := AwaitPromiseContext(ctx, id)
	if err != nil {
		return value, err
	}
	if err := json.Unmarshal(data, &value); err != nil {
		return value, fmt.Errorf("the value of a promise: %w", err)
	}
	return value, nil
}

// PollPromise returns the value of the promise if it is there.
func PollPromise(id PromiseID) (data []byte, ok bool) {
	found := workerhost.PollPromise(id.host())
	if found == nil {
		return nil, false
	}
	return *found, true
}

// CompletePromise gives the promise its value and tells whether it had none before: the first value stays.
func CompletePromise(id PromiseID, data []byte) bool {
	return apihost.CompletePromise(id.host(), data)
}

// CompletePromiseJSON encodes v and completes the promise with it.
func CompletePromiseJSON(id PromiseID, v any) (bool, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return false, err
	}
	return CompletePromise(id, data), nil
}

// DeletePromise removes a promise that nobody will wait for any more.
func DeletePromise(id PromiseID) {
	apihost.DeletePromise(id.host())
}
