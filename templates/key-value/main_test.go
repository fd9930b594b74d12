package main

import (
	"context"
	"slices"
	"testing"

	"github.com/golem-workers/golem-go/golemtest"

	"go_module/internal/golem/api"
)

func TestGuestsAreRemembered(t *testing.T) {
	golemtest.Reset(t)
	ctx := context.Background()
	for i, name := range []string{"grace", "ada", "grace"} {
		visits, err := book{}.Sign(ctx, api.Entry{Name: name, Text: "hello"})
		if visits != uint64(i+1) || err != nil {
			t.Fatal(visits, err)
		}
	}
	if names, err := (book{}).Guests(ctx); !slices.Equal(names, []string{"ada", "grace"}) || err != nil {
		t.Fatal(names, err)
	}
	if entry, err := (book{}).Find(ctx, "ada"); entry == nil || entry.Text != "hello" || err != nil {
		t.Fatal(entry, err)
	}
	if entry, err := (book{}).Find(ctx, "nobody"); entry != nil || err != nil {
		t.Fatal(entry, err)
	}
}
