// SPDX-License-Identifier: Apache-2.0

package golemhost

import "github.com/golem-workers/golem-go/internal/platform/apihost"

// OpLogIndex is a position in the log of a worker.
type OpLogIndex uint64

// GetOpLogIndex returns where the log is now.
func GetOpLogIndex() OpLogIndex {
	return OpLogIndex(apihost.GetOplogIndex())
}

// SetOpLogIndex goes back: what was logged after the index, which has to be one of this invocation, is undone, and the
// worker goes on from there. It does not return. What was done outside stays done.
func SetOpLogIndex(index OpLogIndex) {
	apihost.SetOplogIndex(uint64(index))
}

// OpLogCommit waits until everything that this worker has done is durable. The number of replicas is for compatibility.
func OpLogCommit(replicas uint8) {
	apihost.OplogCommit(replicas)
}

// MarkBeginOperation begins an atomic region and returns what MarkEndOperation needs. Atomically does both.
func MarkBeginOperation() OpLogIndex {
	return OpLogIndex(apihost.MarkBeginOperation())
}

// MarkEndOperation ends an atomic region.
func MarkEndOperation(begin OpLogIndex) {
	apihost.MarkEndOperation(uint64(begin))
}

// Atomically runs f as an atomic region: if the worker fails or is lost in the middle, all of f is done again, instead of
// being continued where it was. An error that f returns ends the region like any result; a panic does not end it.
func Atomically[T any](f func() (T, error)) (T, error) {
	begin := MarkBeginOperation()
	value, err := f()
	MarkEndOperation(begin)
	return value, err
}
