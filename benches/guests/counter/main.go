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

var total uint64

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

func main() {}
