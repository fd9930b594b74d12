package main

import (
	"context"
	"errors"
	"slices"
	"testing"

	"go_module/boss/internal/golem/helper"
	"go_module/boss/internal/golem/totals"
	"go_module/boss/internal/golem/work"
	"go_module/internal/golem/worker"
)

// double takes the place of a helper: every text is one word.
type double struct{}

func (double) Count(_ context.Context, text string) ([]work.Words, error) {
	if text == "" {
		return nil, errors.New("nothing to count")
	}
	return []work.Words{{Word: text, Times: 1}}, nil
}

func TestResultsArePutTogether(t *testing.T) {
	helper.FakeWork(func(worker.URI) helper.WorkWorker { return double{} })
	got, err := boss{}.Count(context.Background(), []string{"b", "a", "c", "a"})
	want := []totals.Total{{Word: "a", Times: 2}, {Word: "b", Times: 1}, {Word: "c", Times: 1}}
	if !slices.Equal(got, want) || err != nil {
		t.Fatal(got, err)
	}
	if _, err := (boss{}).Count(context.Background(), []string{"a", ""}); err == nil {
		t.Fatal("a failure got lost")
	}
}
