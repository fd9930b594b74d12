// Program plain uses the parts of the SDK that do not need net/http.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"example.com/sdk/plain/internal/golem/api"
	"github.com/golem-workers/golem-go/blobstore"
	"github.com/golem-workers/golem-go/golemhost"
	"github.com/golem-workers/golem-go/golemhost/transaction"
	"github.com/golem-workers/golem-go/golemlog"
	"github.com/golem-workers/golem-go/keyvalue"
	"github.com/golem-workers/golem-go/rpc"
	"github.com/golem-workers/golem-go/schedule"
	"github.com/golem-workers/golem-go/snapshot"
	"github.com/golem-workers/golem-go/std"
	"github.com/golem-workers/golem-go/worker"
)

// version is what the test of updates changes.
const version = 1

type state struct {
	Calls, Total uint64
	Promise      golemhost.PromiseID
	Version      int
}

var own = &state{Version: version}

type plain struct{}

func init() {
	std.Init(std.Packages{Os: true})
	golemlog.Install("plain")
	snapshot.JSON(own)
	api.Export(plain{})
}

func main() {}

// bucket opens the bucket of this worker. What goes wrong in these functions is for the test to see, as a failure.
func bucket() *keyvalue.Bucket {
	b, err := keyvalue.Open("book of " + golemhost.GetSelfMetadata().WorkerId.WorkerName)
	must(err)
	return b
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func write(line string) {
	b := bucket()
	defer b.Close()
	n, err := b.Increment("lines", 1)
	must(err)
	must(b.Set(fmt.Sprintf("line %03d", n), []byte(line)))
}

func (plain) State(context.Context) (uint64, uint64, error) {
	return own.Calls, own.Total, nil
}

func (plain) Add(_ context.Context, n uint64) error {
	own.Calls++
	// The second version counts double.
	own.Total += n * version
	return nil
}

func (plain) MakePromise(context.Context) (uint64, error) {
	own.Calls++
	own.Promise = golemhost.NewPromise()
	return uint64(own.Promise.OplogIdx), nil
}

func (plain) AwaitPromise(context.Context) (string, error) {
	own.Calls++
	var text string
	err := golemhost.AwaitPromiseJSON(own.Promise, &text)
	golemhost.DeletePromise(own.Promise)
	return text, err
}

func (plain) AwaitPromiseFor(ctx context.Context, millis uint64) (string, error) {
	own.Calls++
	ctx, cancel := context.WithTimeout(ctx, time.Duration(millis)*time.Millisecond)
	defer cancel()
	text, err := golemhost.AwaitJSON[string](ctx, own.Promise)
	if errors.Is(err, rpc.ErrTimeout) {
		return "timeout", nil
	}
	return text, err
}

func (plain) SelfService(ctx context.Context) (string, error) {
	own.Calls++
	id := golemhost.NewPromise()
	defer golemhost.DeletePromise(id)
	heard := make(chan string)
	go func() {
		text, err := golemhost.AwaitJSON[string](ctx, id)
		heard <- fmt.Sprint(text, err)
	}()
	first, err := golemhost.CompletePromiseJSON(id, "served")
	second := golemhost.CompletePromise(id, nil)
	return fmt.Sprint(<-heard, first, err, second), nil
}

func (plain) Buy(_ context.Context, seats []string, full string) (string, error) {
	own.Calls++
	reserve := transaction.NewOperation(
		func(seat string) (string, error) {
			if seat == full {
				return "", errors.New(seat + " is taken")
			}
			write("+" + seat)
			return "ticket " + seat, nil
		},
		func(seat, ticket string) error {
			write("-" + seat + " " + ticket)
			return nil
		},
	)
	_, err := transaction.Fallible(func(tx transaction.FallibleTx) (struct{}, error) {
		for _, seat := range seats {
			if _, err := transaction.ExecuteFallible(tx, reserve, seat); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	if err != nil {
		return err.Error(), nil
	}
	return "", nil
}

func (plain) Insist(_ context.Context, attempt uint64) (string, error) {
	own.Calls++
	op := transaction.NewOperation(
		func(name string) (uint64, error) {
			b := bucket()
			defer b.Close()
			n, err := b.Increment("tries of "+name, 1)
			must(err)
			if name == "second" && n < attempt {
				return 0, errors.New("not yet")
			}
			write("+" + name)
			return n, nil
		},
		func(name string, n uint64) error {
			write(fmt.Sprintf("-%s %d", name, n))
			return nil
		},
	)
	return transaction.Infallible(func(tx transaction.InfallibleTx) string {
		first := transaction.ExecuteInfallible(tx, op, "first")
		second := transaction.ExecuteInfallible(tx, op, "second")
		return fmt.Sprint(first, second)
	}), nil
}

func (plain) Survive(_ context.Context, deaths uint64) (uint64, error) {
	own.Calls++
	return golemhost.Atomically(func() (uint64, error) {
		write("begin")
		b := bucket()
		defer b.Close()
		n, err := b.Increment("lives", 1)
		must(err)
		if n <= deaths {
			panic("in the middle of an atomic region")
		}
		write("end")
		return n, nil
	})
}

func (plain) Book(context.Context) ([]string, error) {
	b := bucket()
	defer b.Close()
	keys, err := b.Keys()
	must(err)
	values, err := b.GetMany(keys...)
	must(err)
	var lines []string
	for _, key := range keys {
		if strings.HasPrefix(key, "line ") {
			lines = append(lines, string(values[key]))
		}
	}
	return lines, nil
}

func (plain) Cupboard(context.Context) ([]string, error) {
	own.Calls++
	var seen []string
	see := func(values ...any) { seen = append(seen, strings.TrimSpace(fmt.Sprintln(values...))) }

	b, err := keyvalue.Open("cupboard")
	must(err)
	defer b.Close()
	_, err = b.Get("nothing")
	see(errors.Is(err, keyvalue.ErrNotFound))
	must(b.Set("a", []byte("apple")))
	a, err := b.Get("a")
	see(string(a), err)
	must(b.SetMany(map[string][]byte{"b": []byte("bread"), "c": []byte("cheese")}))
	many, err := b.GetMany("a", "c", "x")
	see(len(many), string(many["c"]), err)
	must(b.DeleteMany("b", "c"))
	must(b.Delete("a"))
	found, err := b.Exists("a")
	see(found, err)
	must(keyvalue.SetJSON(b, "json", []int{1, 2, 3}))
	list, err := keyvalue.GetJSON[[]int](b, "json")
	see(list, err)
	_, err = b.Increment("json", 1)
	see(err != nil)
	swapped, err := b.CompareAndSwap("n", 0, 5)
	see(swapped, err)
	must(b.Delete("n"))
	keys, err := b.Keys()
	see(keys, err)

	_, err = blobstore.Open("no such container")
	see(err != nil)
	c, err := blobstore.OpenOrCreate("cupboard")
	must(err)
	defer c.Close()
	large := strings.Repeat("0123456789", 30_000)
	n, err := c.WriteFrom("large", strings.NewReader(large))
	see(n, err)
	whole, err := c.Read("large")
	see(string(whole) == large, err)
	part, err := c.ReadRange("large", 123_457, 5)
	see(string(part), err)
	must(c.Write("small", []byte("s")))
	must(blobstore.Copy(blobstore.ObjectID{Container: "cupboard", Object: "small"}, blobstore.ObjectID{Container: "cupboard", Object: "copy"}))
	must(blobstore.Move(blobstore.ObjectID{Container: "cupboard", Object: "copy"}, blobstore.ObjectID{Container: "cupboard", Object: "moved"}))
	names, err := c.List()
	see(names, err)
	info, err := c.Stat("large")
	age := time.Since(info.CreatedAt)
	see(info.Size, age < time.Hour && age > -time.Hour, err)
	must(c.Delete("large"))
	has, err := c.Has("large")
	see(has, err)
	must(c.Clear())
	names, err = c.List()
	see(names, err)
	must(blobstore.Delete("cupboard"))
	return seen, nil
}

func (plain) Modes(context.Context) ([]string, error) {
	own.Calls++
	var seen []string
	see := func(values ...any) { seen = append(seen, strings.TrimSpace(fmt.Sprintln(values...))) }
	policy := golemhost.RetryPolicy{MaxAttempts: 7, MinDelay: time.Second, MaxDelay: time.Minute, Multiplier: 1.5}
	attempts, _ := golemhost.WithRetryPolicy(policy, func() (golemhost.RetryPolicy, error) {
		return golemhost.GetRetryPolicy(), nil
	})
	see(attempts.MaxAttempts, attempts.MinDelay, attempts.MaxDelay, attempts.Multiplier, golemhost.GetRetryPolicy().MaxAttempts)
	level, _ := golemhost.WithPersistenceLevel(golemhost.PersistenceLevelPersistRemoteSideEffects, func() (golemhost.PersistenceLevel, error) {
		return golemhost.GetPersistenceLevel(), nil
	})
	see(level, golemhost.GetPersistenceLevel())
	mode, _ := golemhost.WithIdempotenceMode(false, func() (bool, error) { return golemhost.GetIdempotenceMode(), nil })
	see(mode, golemhost.GetIdempotenceMode())
	golemhost.OpLogCommit(1)
	self := golemhost.GetSelfMetadata()
	again := golemhost.GetWorkerMetadata(self.WorkerId)
	see(self.WorkerId.WorkerName, self.Status, again != nil && again.WorkerId == self.WorkerId)
	filter := &golemhost.WorkerAnyFilter{Filters: []golemhost.WorkerAllFilter{{Filters: []golemhost.WorkerFilter{{
		Name: &self.WorkerId.WorkerName, NameComparator: golemhost.StringFilterComparatorEqual,
	}}}}}
	see(len(golemhost.GetWorkers(self.WorkerId.ComponentID, filter)))
	nobody := self.WorkerId
	nobody.WorkerName = "nobody"
	see(golemhost.GetWorkerMetadata(nobody) == nil)
	see(string(self.WorkerId.URI()) == golemhost.GetSelfURI(""))
	see(golemhost.GenerateIdempotencyKey() != golemhost.GenerateIdempotencyKey())
	_, limited := golemhost.Deadline()
	see(limited)
	return seen, nil
}

func (plain) Log(_ context.Context, text string) error {
	own.Calls++
	slog.Warn(text, "calls", own.Calls)
	slog.Debug("below the level")
	return nil
}

func (plain) Nap(_ context.Context, millis uint64) (uint64, error) {
	own.Calls++
	span := time.Duration(millis) * time.Millisecond
	start := time.Now()
	time.Sleep(span)
	ticker := time.NewTicker(span)
	defer ticker.Stop()
	<-ticker.C
	<-ticker.C
	return uint64(time.Since(start).Milliseconds()), nil
}

func (plain) Remind(_ context.Context, n, millis uint64, back bool) (bool, error) {
	own.Calls++
	self := worker.URI(golemhost.GetSelfURI(""))
	id, err := schedule.In(self, time.Duration(millis)*time.Millisecond, "sdk:plain/api.{add}", n)
	if err != nil || !back {
		return false, err
	}
	return id.Cancel(), nil
}
