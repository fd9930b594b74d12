// SPDX-License-Identifier: Apache-2.0

//go:build !wasip1

package schedule_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/golem-workers/golem-go/golemtest"
	"github.com/golem-workers/golem-go/schedule"
	"github.com/golem-workers/golem-go/wit"
	"github.com/golem-workers/golem-go/worker"
)

func TestInvocationsAreScheduledAndTakenBack(t *testing.T) {
	golemtest.Reset(t)
	at := time.Unix(2_000_000_000, 5)
	target := worker.ID("stock", "main")
	id, err := schedule.At(target, at, "shop:stock/api.{restock}", "apples", uint32(7))
	if err != nil || !id.Due.Equal(at) || id.Worker != target {
		t.Fatal(id, err)
	}
	want := golemtest.Scheduled{Worker: target, At: at, Function: "shop:stock/api.{restock}", Params: 2}
	if all := golemtest.Schedules(); len(all) != 1 || all[0] != want {
		t.Error(all)
	}
	if !id.Cancel() || id.Cancel() {
		t.Error("an invocation is taken back once")
	}
	before := time.Now()
	id, err = schedule.In(target, time.Hour, "f")
	if err != nil || id.Due.Before(before.Add(time.Hour)) {
		t.Error(id, err)
	}
}

func TestWhatIsNoArgumentIsRefused(t *testing.T) {
	golemtest.Reset(t)
	type loop struct{ Next []*loop }
	endless := &loop{}
	endless.Next = []*loop{endless}
	type hidden struct{ x int }
	for _, bad := range []any{nil, map[string]int{}, make(chan int), func() {}, endless, hidden{}} {
		if _, err := schedule.In("w", 0, "f", bad); err == nil {
			t.Errorf("%T was taken", bad)
		}
	}
	if len(golemtest.Schedules()) != 0 {
		t.Error("something was scheduled")
	}
	type lot struct {
		Name  string
		Price *float64
		Tags  []string
	}
	for _, good := range []any{
		true, 'x', 1, uint8(1), 1.5, "", []byte{1}, lot{}, (*string)(nil), wit.Tuple2[int, string]{}, schedule.Char('x'),
		schedule.Enum(1), schedule.Flags{true}, schedule.Variant{Case: 1}, schedule.Ok{Payload: lot{}}, schedule.Err{},
	} {
		if _, err := schedule.In("w", 0, "f", good); err != nil {
			t.Errorf("%T: %v", good, err)
		}
	}
}

func ExampleIn() {
	id, err := schedule.In(worker.ID("mailer", "main"), 24*time.Hour, "shop:mailer/api.{remind}", "ada@example.com")
	fmt.Println(id.Worker, err)
	fmt.Println(id.Cancel())
	// Output:
	// worker:///mailer/main <nil>
	// true
}
