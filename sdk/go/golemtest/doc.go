// SPDX-License-Identifier: Apache-2.0

// Package golemtest looks at, and prepares, what the SDK's doubles of the platform know in go test. Inside a worker it is
// empty.
package golemtest
