// SPDX-License-Identifier: Apache-2.0

//go:build wasip1

package transaction

import "github.com/golem-workers/golem-go/golemhost"

// until runs f once: going back starts the worker again, at the place where the transaction began.
func until[T any](_ golemhost.OpLogIndex, f func() T) T {
	return f()
}
