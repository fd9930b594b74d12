// SPDX-License-Identifier: Apache-2.0

package golemhost

import (
	"context"
	"time"

	"github.com/golem-workers/golem-go/internal/platform/workerhost"
)

// Deadline returns until when this invocation has to be done, if its caller has said so. An invocation that is late is
// cancelled: the worker is as if it had not begun.
func Deadline() (deadline time.Time, ok bool) {
	found := workerhost.GetDeadline()
	if found == nil {
		return time.Time{}, false
	}
	return time.Unix(0, int64(*found)), true
}

// WithDeadline returns a context that is done when this invocation has to be. Call cancel when the work is done.
func WithDeadline(ctx context.Context) (_ context.Context, cancel context.CancelFunc) {
	if deadline, ok := Deadline(); ok {
		return context.WithDeadline(ctx, deadline)
	}
	return context.WithCancel(ctx)
}

// SetCallTimeout gives every call of another worker from here on a deadline, which goes along with the call and with the
// calls that it makes. Zero or less means no other limit than that of this invocation.
func SetCallTimeout(timeout time.Duration) {
	if timeout <= 0 {
		workerhost.SetCallTimeout(nil)
		return
	}
	nanoseconds := uint64(timeout)
	workerhost.SetCallTimeout(&nanoseconds)
}
