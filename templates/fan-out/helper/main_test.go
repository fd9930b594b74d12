package main

import (
	"context"
	"slices"
	"testing"

	"go_module/helper/internal/golem/work"
)

func TestWordsAreCounted(t *testing.T) {
	got, err := helper{}.Count(context.Background(), "To be, or not to be.")
	want := []work.Words{{Word: "be", Times: 2}, {Word: "not", Times: 1}, {Word: "or", Times: 1}, {Word: "to", Times: 2}}
	if !slices.Equal(got, want) || err != nil {
		t.Fatal(got, err)
	}
}
