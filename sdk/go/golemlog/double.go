// SPDX-License-Identifier: Apache-2.0

//go:build !wasip1

package golemlog

// The double of the platform's log.
import _ "github.com/golem-workers/golem-go/internal/double"
