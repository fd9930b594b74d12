// SPDX-License-Identifier: Apache-2.0

package snapshot_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/golem-workers/golem-go/snapshot"
)

func TestAStateThatIsNotUnderstoodChangesNothing(t *testing.T) {
	snapshot.Register(nil, nil)
	if _, err := snapshot.Save(context.Background()); !errors.Is(err, snapshot.ErrNotRegistered) {
		t.Error(err)
	}
	if err := snapshot.Load(context.Background(), nil); !errors.Is(err, snapshot.ErrNotRegistered) {
		t.Error(err)
	}
	state := map[string]int{"a": 1}
	snapshot.JSON(&state)
	if err := snapshot.Load(context.Background(), []byte("{")); err == nil || state["a"] != 1 {
		t.Error(err, state)
	}
	if err := snapshot.Load(context.Background(), []byte(`{"b":2}`)); err != nil || len(state) != 1 || state["b"] != 2 {
		t.Error(err, state)
	}
}

func ExampleJSON() {
	type counter struct{ Total int }
	state := &counter{Total: 7}
	// In an init function, once.
	snapshot.JSON(state)

	saved, err := snapshot.Save(context.Background())
	fmt.Println(string(saved), err)
	err = snapshot.Load(context.Background(), []byte(`{"Total":8}`))
	fmt.Println(state.Total, err)
	// Output:
	// {"Total":7} <nil>
	// 8 <nil>
}
