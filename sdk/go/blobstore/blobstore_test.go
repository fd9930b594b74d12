// SPDX-License-Identifier: Apache-2.0

//go:build !wasip1

package blobstore_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/golem-workers/golem-go/blobstore"
	"github.com/golem-workers/golem-go/golemtest"
)

func TestContainersAreMadeOnce(t *testing.T) {
	golemtest.Reset(t)
	if _, err := blobstore.Open("c"); err == nil {
		t.Error("opened what does not exist")
	}
	for range 2 {
		c, err := blobstore.OpenOrCreate("c")
		if err != nil || c.Name() != "c" {
			t.Fatal(err)
		}
		c.Close()
	}
	if _, err := blobstore.Create("c"); err == nil {
		t.Error("made it twice")
	}
	if found, err := blobstore.Exists("c"); !found || err != nil {
		t.Error(found, err)
	}
	if err := blobstore.Delete("c"); err != nil {
		t.Error(err)
	}
	if err := blobstore.Delete("c"); err == nil {
		t.Error("deleted it twice")
	}
}

func TestObjectsAreReadWhollyAndInParts(t *testing.T) {
	golemtest.Reset(t)
	c, _ := blobstore.Create("c")
	if err := c.Write("o", []byte("0123456789")); err != nil {
		t.Error(err)
	}
	if err := c.Write("empty", nil); err != nil {
		t.Error(err)
	}
	for _, want := range []struct {
		offset, length int64
		text           string
	}{{0, 10, "0123456789"}, {3, 2, "34"}, {8, 100, "89"}, {10, 1, ""}, {50, 1, ""}, {5, 0, ""}} {
		got, err := c.ReadRange("o", want.offset, want.length)
		if string(got) != want.text || err != nil {
			t.Error(want, string(got), err)
		}
	}
	if got, err := c.Read("empty"); len(got) != 0 || err != nil {
		t.Error(got, err)
	}
	if _, err := c.ReadRange("o", -1, 1); err == nil {
		t.Error("read before the beginning")
	}
	if _, err := c.Read("nothing"); err == nil {
		t.Error("read nothing")
	}
	if info, err := c.Stat("o"); info.Size != 10 || info.Container != "c" || err != nil {
		t.Error(info, err)
	}
	broken := errors.New("broken")
	if _, err := c.WriteFrom("o", iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Error(err)
	}
	if got, err := c.Read("o"); len(got) != 10 || err != nil {
		t.Error("a reader that fails changed the object", got, err)
	}
}

func TestObjectsAreCopiedMovedAndRemoved(t *testing.T) {
	golemtest.Reset(t)
	c, _ := blobstore.Create("c")
	other, _ := blobstore.Create("other")
	_ = c.Write("a", []byte("x"))
	id := func(container, object string) blobstore.ObjectID {
		return blobstore.ObjectID{Container: container, Object: object}
	}
	if err := blobstore.Copy(id("c", "a"), id("other", "b")); err != nil {
		t.Error(err)
	}
	if err := blobstore.Move(id("other", "b"), id("c", "d")); err != nil {
		t.Error(err)
	}
	if err := blobstore.Move(id("c", "d"), id("c", "d")); err != nil {
		t.Error(err)
	}
	if names, err := c.List(); !reflect.DeepEqual(names, []string{"a", "d"}) || err != nil {
		t.Error(names, err)
	}
	if found, err := other.Has("b"); found || err != nil {
		t.Error(found, err)
	}
	if err := c.Delete("a", "x"); err != nil {
		t.Error(err)
	}
	if err := c.Clear(); err != nil {
		t.Error(err)
	}
	if names, _ := c.List(); len(names) != 0 {
		t.Error(names)
	}
}

func ExampleContainer() {
	reports, err := blobstore.OpenOrCreate("reports")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer reports.Close()
	n, err := reports.WriteFrom("2026/november", strings.NewReader("all went well"))
	fmt.Println(n, err)
	part, err := reports.ReadRange("2026/november", 9, 4)
	fmt.Println(string(part), err)
	// Output:
	// 13 <nil>
	// well <nil>
}
