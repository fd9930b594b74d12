// SPDX-License-Identifier: Apache-2.0

// Package double answers what the SDK asks of the platform when the program is no worker, that is in go test: in memory,
// safe for several goroutines. It has no content inside a worker.
package double
