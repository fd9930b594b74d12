package main

import (
	"context"
	"reflect"
	"testing"

	"github.com/golem-workers/golem-go/golemtest"
)

// On a laptop the SDK works on doubles. What the worker says there is what it says on a server, see ../../../sdk.rs.
func TestTheWorkerSaysTheSameOutsideAServer(t *testing.T) {
	golemtest.Reset(t)
	ctx := context.Background()
	var p plain
	seen, err := p.Cupboard(ctx)
	same(t, seen, err, []string{
		"true", "apple <nil>", "2 cheese <nil>", "false <nil>", "[1 2 3] <nil>", "true", "false <nil>", "[json] <nil>",
		"true", "300000 <nil>", "true <nil>", "78901 <nil>", "[large moved small] <nil>", "300000 true <nil>",
		"false <nil>", "[] <nil>",
	})
	seen, err = p.Modes(ctx)
	same(t, seen, err, []string{
		"7 1s 1m0s 1.5 3", "1 2", "false true", "test running true", "1", "true", "true", "true", "false",
	})
	text, err := p.SelfService(ctx)
	same(t, text, err, "served<nil>true <nil> false")
	text, err = p.Insist(ctx, 3)
	same(t, text, err, "3 3")
	seen, err = p.Book(ctx)
	same(t, seen, err, []string{"+first", "-first 1", "+first", "-first 2", "+first", "+second"})
	same(t, nil, p.Log(ctx, "hello"), nil)
	same(t, golemtest.Logs(), nil, []golemtest.Line{{Level: "warn", Context: "plain", Message: "hello calls=5"}})
	back, err := p.Remind(ctx, 1, 60_000, true)
	same(t, back, err, true)
}

func same(t *testing.T, got any, err error, want any) {
	t.Helper()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v %v, expected %v", got, err, want)
	}
}
