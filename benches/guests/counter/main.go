// SPDX-License-Identifier: Apache-2.0

// Counter is the smallest worker with state: what is measured is everything around it.
package main

import (
	"time"

	"bench/counter/counter"
)

func init() {
	counter.SetExportsBenchCounterCounterApi(&impl{})
}

var total, late uint64

type impl struct{}

func (*impl) Add(n uint64) uint64 {
	total += n
	return total
}

func (*impl) Get() uint64 {
	return total
}

func (*impl) Rest(ms uint64) uint64 {
	time.Sleep(time.Duration(ms) * time.Millisecond)
	return total
}

func (*impl) Nap(ms uint64) uint64 {
	// By the wall clock, which is read from the host at both ends: the other clock is virtual in between.
	due := time.Now().UnixMicro() + int64(ms)*1000
	time.Sleep(time.Duration(ms) * time.Millisecond)
	late = uint64(max(time.Now().UnixMicro()-due, 1))
	return late
}

func (*impl) Late() uint64 {
	return late
}

func main() {}
