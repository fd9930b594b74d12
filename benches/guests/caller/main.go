// SPDX-License-Identifier: Apache-2.0

// Caller calls counters: once, many times in a row, and many at once.
package main

import (
	"fmt"
	"os"

	"bench/caller/caller"
)

func init() {
	caller.SetExportsBenchCallerCallerApi(&impl{})
}

type impl struct{}

// client names a worker of the counter component, whose id is in the environment.
func client(worker string) caller.BenchCounterStubStubCounterCounterApi {
	uri := fmt.Sprintf("urn:worker:%s/%s", os.Getenv("COUNTER_ID"), worker)
	return caller.NewCounterApi(caller.GolemRpc0_1_0_TypesUri{Value: uri})
}

func (*impl) One(n uint64) uint64 {
	counter := client("c-" + os.Getenv("GOLEM_WORKER_NAME"))
	defer counter.Drop()
	return counter.BlockingAdd(n)
}

func (*impl) Seq(k uint64) uint64 {
	counter := client("c-" + os.Getenv("GOLEM_WORKER_NAME"))
	defer counter.Drop()
	var last uint64
	for range k {
		last = counter.BlockingAdd(1)
	}
	return last
}

func (*impl) Fan(k uint64) uint64 {
	type call struct {
		counter caller.BenchCounterStubStubCounterCounterApi
		future  caller.BenchCounterStubStubCounterFutureAddResult
	}
	var calls []call
	var polls []caller.WasiIo0_2_0_PollPollable
	for i := range k {
		counter := client(fmt.Sprintf("f-%s-%d", os.Getenv("GOLEM_WORKER_NAME"), i))
		future := counter.Add(1)
		calls = append(calls, call{counter, future})
		polls = append(polls, future.Subscribe())
	}
	var sum uint64
	for len(polls) > 0 {
		ready := make(map[uint32]bool)
		for _, index := range caller.WasiIo0_2_0_PollPoll(polls) {
			ready[index] = true
			polls[index].Drop()
			result := calls[index].future.Get()
			sum += result.Unwrap()
			calls[index].future.Drop()
			calls[index].counter.Drop()
		}
		// Keep what is not ready, in order.
		var restCalls []call
		var restPolls []caller.WasiIo0_2_0_PollPollable
		for i := range polls {
			if !ready[uint32(i)] {
				restCalls = append(restCalls, calls[i])
				restPolls = append(restPolls, polls[i])
			}
		}
		calls, polls = restCalls, restPolls
	}
	return sum
}

func main() {}
