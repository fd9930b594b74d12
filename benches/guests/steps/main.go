// SPDX-License-Identifier: Apache-2.0

// Steps does nothing but durable host calls: what is measured is what recording one costs.
package main

import "bench/steps/steps"

// The imports themselves and not the SDK: a step is one call of the host and nothing else.

//go:wasmimport wasi:random/random@0.2.0 get-random-u64
func getRandomU64() uint64

//go:wasmimport golem:api/host@1.1.0 oplog-commit
func oplogCommit(replicas uint32)

func init() {
	steps.SetExportsBenchStepsStepsApi(&impl{})
}

type impl struct{}

func (*impl) Steps(k uint64) uint64 {
	var last, differ uint64
	for range k {
		next := getRandomU64()
		if next != last {
			differ++
		}
		last = next
	}
	return differ
}

func (*impl) StepsCommit(k uint64) uint64 {
	var last, differ uint64
	for range k {
		next := getRandomU64()
		oplogCommit(0)
		if next != last {
			differ++
		}
		last = next
	}
	return differ
}

func main() {}
