// SPDX-License-Identifier: Apache-2.0

//go:build !wasip1

package golemhost_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/golem-workers/golem-go/golemhost"
	"github.com/golem-workers/golem-go/golemtest"
	"github.com/golem-workers/golem-go/rpc"
)

func TestPromisesAreCompletedOnceAndWaitedForTogether(t *testing.T) {
	golemtest.Reset(t)
	first, second := golemhost.NewPromise(), golemhost.NewPromise()
	if first == second {
		t.Fatal("two promises have one name")
	}
	if _, ok := golemhost.PollPromise(first); ok {
		t.Error("a new promise has a value")
	}
	var wait sync.WaitGroup
	for _, id := range []golemhost.PromiseID{first, second} {
		wait.Add(1)
		go func() {
			defer wait.Done()
			data, err := golemhost.AwaitPromiseContext(context.Background(), id)
			if err != nil || string(data) != "value" {
				t.Error(string(data), err)
			}
		}()
	}
	for _, id := range []golemhost.PromiseID{second, first} {
		if !golemhost.CompletePromise(id, []byte("value")) || golemhost.CompletePromise(id, nil) {
			t.Error("a promise is completed once")
		}
	}
	wait.Wait()
	golemhost.DeletePromise(first)
	if _, err := golemhost.AwaitPromiseContext(context.Background(), first); !errors.Is(err, golemhost.ErrPromiseDeleted) {
		t.Error(err)
	}
}

func TestAWaitEndsWithItsContextAndThePromiseStays(t *testing.T) {
	golemtest.Reset(t)
	id := golemhost.NewPromise()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := golemhost.AwaitPromiseContext(ctx, id); !errors.Is(err, context.Canceled) || !errors.Is(err, rpc.ErrCancelled) {
		t.Error(err)
	}
	if ok, err := golemhost.CompletePromiseJSON(id, []int{1, 2}); !ok || err != nil {
		t.Error(ok, err)
	}
	if found, err := golemhost.AwaitJSON[[]int](context.Background(), id); err != nil || len(found) != 2 {
		t.Error(found, err)
	}
	if _, err := golemhost.AwaitJSON[string](context.Background(), id); err == nil {
		t.Error("a list is no string")
	}
	var list []int
	if err := golemhost.AwaitPromiseJSON(id, &list); err != nil || list[1] != 2 {
		t.Error(list, err)
	}
}

func TestModesGoBackAlsoAfterErrorsAndPanics(t *testing.T) {
	golemtest.Reset(t)
	before := golemhost.GetRetryPolicy()
	policy := golemhost.RetryPolicy{MaxAttempts: 9, MinDelay: time.Second, MaxDelay: time.Minute, Multiplier: 2}
	broken := errors.New("broken")
	_, err := golemhost.WithRetryPolicy(policy, func() (int, error) {
		if golemhost.GetRetryPolicy() != policy {
			t.Error(golemhost.GetRetryPolicy())
		}
		return 0, broken
	})
	if err != broken || golemhost.GetRetryPolicy().MaxAttempts != before.MaxAttempts {
		t.Error(err, golemhost.GetRetryPolicy())
	}
	for _, level := range []golemhost.PersistenceLevel{
		golemhost.PersistenceLevelPersistNothing,
		golemhost.PersistenceLevelPersistRemoteSideEffects,
		golemhost.PersistenceLevelSmart,
	} {
		got, _ := golemhost.WithPersistenceLevel(level, func() (golemhost.PersistenceLevel, error) {
			return golemhost.GetPersistenceLevel(), nil
		})
		if got != level || golemhost.GetPersistenceLevel() != golemhost.PersistenceLevelSmart {
			t.Error(got, golemhost.GetPersistenceLevel())
		}
	}
	func() {
		defer func() { _ = recover() }()
		_, _ = golemhost.WithIdempotenceMode(false, func() (int, error) { panic("stop") })
	}()
	if !golemhost.GetIdempotenceMode() {
		t.Error("a panic left the mode changed")
	}
}

func TestIdentifiersAreWrittenAndRead(t *testing.T) {
	key := golemhost.GenerateIdempotencyKey()
	read, err := golemhost.ParseUUID(key.String())
	if err != nil || read != key || key == golemhost.GenerateIdempotencyKey() {
		t.Error(key, read, err)
	}
	for _, bad := range []string{"", "x", key.String() + "0", "0000000000000000-0000-0000-0000-0000", "g" + key.String()[1:]} {
		if _, err := golemhost.ParseUUID(bad); err == nil {
			t.Error(bad, "is no UUID")
		}
	}
	text, err := json.Marshal(map[string]golemhost.UUID{"key": key})
	var back map[string]golemhost.UUID
	if err != nil || json.Unmarshal(text, &back) != nil || back["key"] != key {
		t.Error(string(text), err)
	}
}

func TestWorkersAreFound(t *testing.T) {
	golemtest.Reset(t)
	component, _ := golemhost.ParseUUID("6f9619ff-8b86-d011-b42d-00cf4fc964ff")
	id := golemhost.WorkerID{ComponentID: golemhost.ComponentID(component), WorkerName: "other"}
	golemtest.AddWorker(golemhost.WorkerMetadata{WorkerId: id, Status: golemhost.WorkerStatusSuspended, ComponentVersion: 3})
	found := golemhost.GetWorkerMetadata(id)
	if found == nil || found.Status != golemhost.WorkerStatusSuspended || found.ComponentVersion != 3 {
		t.Error(found)
	}
	name := "other"
	filter := &golemhost.WorkerAnyFilter{Filters: []golemhost.WorkerAllFilter{{Filters: []golemhost.WorkerFilter{{Name: &name}}}}}
	if all := golemhost.GetWorkers(id.ComponentID, filter); len(all) != 2 || all[1].WorkerId != id {
		t.Error(all)
	}
	if uri := string(id.URI()); uri != "urn:worker:6f9619ff-8b86-d011-b42d-00cf4fc964ff/other" {
		t.Error(uri)
	}
	if golemhost.GetWorkerMetadata(golemhost.WorkerID{WorkerName: "nobody"}) != nil {
		t.Error("found nobody")
	}
	if golemhost.GetSelfMetadata().WorkerId.WorkerName != "test" || golemhost.GetSelfURI("f") != golemhost.GetSelfURI("")+"/f" {
		t.Error(golemhost.GetSelfMetadata(), golemhost.GetSelfURI("f"))
	}
}

func TestDeadlines(t *testing.T) {
	golemtest.Reset(t)
	if _, ok := golemhost.Deadline(); ok {
		t.Error("nobody has set a deadline")
	}
	at := time.Now().Add(time.Hour)
	golemtest.SetDeadline(at)
	ctx, cancel := golemhost.WithDeadline(context.Background())
	defer cancel()
	if deadline, ok := ctx.Deadline(); !ok || !deadline.Equal(at) {
		t.Error(deadline, ok)
	}
	golemhost.SetCallTimeout(time.Second)
	if golemtest.CallTimeout() != time.Second {
		t.Error(golemtest.CallTimeout())
	}
	golemhost.SetCallTimeout(0)
	if golemtest.CallTimeout() != 0 {
		t.Error(golemtest.CallTimeout())
	}
}

func ExampleNewPromise() {
	id := golemhost.NewPromise()
	// Somebody who knows the id completes it: over REST, on the command line, or a worker.
	go golemhost.CompletePromise(id, []byte(`"approved"`))
	answer, err := golemhost.AwaitJSON[string](context.Background(), id)
	fmt.Println(answer, err)
	// Output: approved <nil>
}

func ExampleAtomically() {
	sum, err := golemhost.Atomically(func() (int, error) {
		// If the worker is lost between these two, both are done again.
		return 1 + 2, nil
	})
	fmt.Println(sum, err)
	// Output: 3 <nil>
}

func ExampleWithRetryPolicy() {
	patient := golemhost.RetryPolicy{MaxAttempts: 10, MinDelay: time.Second, MaxDelay: time.Minute, Multiplier: 2}
	attempts, _ := golemhost.WithRetryPolicy(patient, func() (uint32, error) {
		return golemhost.GetRetryPolicy().MaxAttempts, nil
	})
	fmt.Println(attempts)
	// Output: 10
}

func ExampleWithDeadline() {
	ctx, cancel := golemhost.WithDeadline(context.Background())
	defer cancel()
	fmt.Println(ctx.Err())
	// Output: <nil>
}

func ExampleWorkers() {
	component := golemhost.GetSelfMetadata().WorkerId.ComponentID
	for metadata := range golemhost.Workers(component, nil) {
		fmt.Println(metadata.WorkerId.WorkerName, metadata.Status)
	}
	// Output: test running
}
