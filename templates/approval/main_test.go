package main

import (
	"context"
	"testing"

	"github.com/golem-workers/golem-go/golemhost"
	"github.com/golem-workers/golem-go/golemtest"

	"go_module/internal/golem/api"
)

func TestDecisions(t *testing.T) {
	const minute = 60_000
	for answer, want := range map[string]api.Outcome{"yes": api.OutcomeApproved, "no": api.OutcomeRejected} {
		golemtest.Reset(t)
		e := &expense{}
		if _, err := e.Submit(context.Background(), "a chair", 9900); err != nil {
			t.Fatal(err)
		}
		golemhost.CompletePromise(*e.promise, []byte(answer))
		if got, err := e.Decision(context.Background(), minute); got != want || err != nil {
			t.Errorf("%s: got %v, %v", answer, got, err)
		}
	}
}

func TestNobodyDecides(t *testing.T) {
	golemtest.Reset(t)
	e := &expense{}
	if _, err := e.Decision(context.Background(), 1); err == nil {
		t.Error("decided before it was submitted")
	}
	if _, err := e.Submit(context.Background(), "a table", 49900); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, err := e.Decision(context.Background(), 1); got != api.OutcomeTooLate || err != nil {
			t.Error(got, err)
		}
	}
}
