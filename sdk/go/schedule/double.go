// SPDX-License-Identifier: Apache-2.0

//go:build !wasip1

package schedule

// The double of the platform's timers.
import _ "github.com/golem-workers/golem-go/internal/double"
