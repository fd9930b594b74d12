// SPDX-License-Identifier: Apache-2.0

//go:build !wasip1

package transaction

import (
	"github.com/golem-workers/golem-go/golemhost"
	"github.com/golem-workers/golem-go/internal/double"
)

// until runs f until it does not go back to begin.
func until[T any](begin golemhost.OpLogIndex, f func() T) T {
	for {
		if value, done := try(begin, f); done {
			return value
		}
	}
}

func try[T any](begin golemhost.OpLogIndex, f func() T) (value T, done bool) {
	defer func() {
		if done {
			return
		}
		cause := recover()
		if jump, ok := cause.(double.Jump); !ok || jump.To != uint64(begin) {
			panic(cause)
		}
	}()
	return f(), true
}
