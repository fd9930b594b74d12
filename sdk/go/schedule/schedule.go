// SPDX-License-Identifier: Apache-2.0

// Package schedule has a worker invoked at a moment: the platform keeps the invocation, also while it is away, and it starts
// once. In go test nothing is invoked; package golemtest tells what was asked for.
package schedule

import (
	"errors"
	"fmt"
	"time"

	"github.com/golem-workers/golem-go/internal/platform/rpctypes"
	"github.com/golem-workers/golem-go/internal/platform/workerhost"
	"github.com/golem-workers/golem-go/rpc"
	"github.com/golem-workers/golem-go/worker"
)

// ID names a scheduled invocation until it starts.
type ID struct {
	// Worker is whom it invokes.
	Worker worker.URI
	// Due is when.
	Due    time.Time
	number uint64
}

// At schedules an invocation of function, which is named in full ("shop:stock/stock-api.{restock}"), with arguments; one that
// lies in the past starts at once.
//
// An argument is a Go value for the parameter's WIT type: bool, integers and floats of the same width, string, a slice for a
// list, a struct for a record (its exported fields in order), a pointer for an option (nil is none), wit.Tuple… for a tuple,
// and Char, Enum, Flags, Variant, Ok or Err of this package. The platform checks the types when the invocation starts.
func At(target worker.URI, moment time.Time, function string, arguments ...any) (ID, error) {
	params := make([]workerhost.WitValue, 0, len(arguments))
	for i, argument := range arguments {
		value, err := encode(argument)
		if err != nil {
			return ID{}, fmt.Errorf("schedule %s: argument %d: %w", function, i, err)
		}
		params = append(params, value)
	}
	at := uint64(max(moment.UnixNano(), 0))
	id, err := workerhost.ScheduleInvocation(rpctypes.URI{Value: string(target)}, at, function, params)
	if err != nil {
		return ID{}, failure(err)
	}
	return ID{Worker: worker.URI(id.Worker.Value), Due: time.Unix(0, int64(id.Due)), number: id.ID}, nil
}

// In schedules an invocation after a time span; see At.
func In(target worker.URI, delay time.Duration, function string, arguments ...any) (ID, error) {
	return At(target, time.Now().Add(delay), function, arguments...)
}

// Cancel takes the invocation back. It returns false if it has started, or was taken back before.
func (id ID) Cancel() bool {
	return workerhost.CancelScheduled(workerhost.ScheduleID{
		Worker: rpctypes.URI{Value: string(id.Worker)},
		Due:    uint64(id.Due.UnixNano()),
		ID:     id.number,
	})
}

func failure(err error) error {
	var (
		protocol rpctypes.RPCErrorProtocolError
		denied   rpctypes.RPCErrorDenied
		absent   rpctypes.RPCErrorNotFound
		failed   rpctypes.RPCErrorRemoteInternalError
	)
	switch {
	case errors.As(err, &protocol):
		return rpc.NewError(rpc.KindProtocol, protocol.Value)
	case errors.As(err, &denied):
		return rpc.NewError(rpc.KindDenied, denied.Value)
	case errors.As(err, &absent):
		return rpc.NewError(rpc.KindNotFound, absent.Value)
	case errors.As(err, &failed):
		return rpc.NewError(rpc.KindCalleeFailed, failed.Value)
	default:
		return err
	}
}
