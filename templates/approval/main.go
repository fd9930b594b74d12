package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/golem-workers/golem-go/golemhost"
	"github.com/golem-workers/golem-go/golemlog"
	"github.com/golem-workers/golem-go/wit"

	"go_module/internal/golem/api"
)

// expense is the state of a worker.
type expense struct {
	promise *golemhost.PromiseID
	decided *api.Outcome
}

// Submit makes a promise: something that this worker waits for and somebody else completes.
func (e *expense) Submit(_ context.Context, purpose string, cents uint32) (uint64, error) {
	if e.promise != nil {
		return 0, wit.Error("this expense was handed in before")
	}
	promise := golemhost.NewPromise()
	e.promise = &promise
	slog.Info("to be approved", "purpose", purpose, "cents", cents, "promise", promise.OplogIdx)
	return uint64(promise.OplogIdx), nil
}

// Decision waits. Meanwhile the worker may leave memory, and the server may stop and start: a wait of a week costs nothing.
func (e *expense) Decision(ctx context.Context, patience uint32) (api.Outcome, error) {
	if e.promise == nil {
		return 0, wit.Error("submit the expense first")
	}
	if e.decided != nil {
		return *e.decided, nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(patience)*time.Millisecond)
	defer cancel()
	answer, err := golemhost.AwaitPromiseContext(ctx, *e.promise)
	decision := api.OutcomeRejected
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		decision = api.OutcomeTooLate
	case err != nil:
		return 0, wit.Error(err.Error())
	case string(answer) == "yes":
		decision = api.OutcomeApproved
	}
	e.decided = &decision
	slog.Info("decided", "how", decision)
	return decision, nil
}

func init() {
	golemlog.Install("expense")
	api.Export(&expense{})
}

// main is never called: a component only answers calls of its exports.
func main() {}
