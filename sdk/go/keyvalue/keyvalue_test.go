// SPDX-License-Identifier: Apache-2.0

//go:build !wasip1

package keyvalue_test

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"github.com/golem-workers/golem-go/golemtest"
	"github.com/golem-workers/golem-go/keyvalue"
)

func open(t *testing.T, name string) *keyvalue.Bucket {
	t.Helper()
	bucket, err := keyvalue.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bucket.Close)
	return bucket
}

func TestValuesComeAndGo(t *testing.T) {
	golemtest.Reset(t)
	b := open(t, "b")
	if _, err := b.Get("k"); !errors.Is(err, keyvalue.ErrNotFound) {
		t.Error(err)
	}
	value := []byte("v")
	if err := b.Set("k", value); err != nil {
		t.Error(err)
	}
	value[0] = 'x'
	if got, err := open(t, "b").Get("k"); string(got) != "v" || err != nil {
		t.Error(string(got), err)
	}
	if found, err := open(t, "other").Exists("k"); found || err != nil {
		t.Error(found, err)
	}
	if err := b.Delete("k"); err != nil {
		t.Error(err)
	}
	if found, err := b.Exists("k"); found || err != nil {
		t.Error(found, err)
	}
}

func TestManyAtOnce(t *testing.T) {
	golemtest.Reset(t)
	b := open(t, "b")
	values := map[string][]byte{"a": []byte("1"), "b": nil, "c": []byte("3")}
	if err := b.SetMany(values); err != nil {
		t.Error(err)
	}
	if keys, err := b.Keys(); !reflect.DeepEqual(keys, []string{"a", "b", "c"}) || err != nil {
		t.Error(keys, err)
	}
	if got, err := b.GetMany("c", "x", "a"); len(got) != 2 || string(got["c"]) != "3" || err != nil {
		t.Error(got, err)
	}
	if err := b.DeleteMany("a", "x", "b"); err != nil {
		t.Error(err)
	}
	if keys, err := b.Keys(); !reflect.DeepEqual(keys, []string{"c"}) || err != nil {
		t.Error(keys, err)
	}
}

func TestNumbersAreCountedByManyAtOnce(t *testing.T) {
	golemtest.Reset(t)
	b := open(t, "b")
	var wait sync.WaitGroup
	for range 50 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			if _, err := b.Increment("n", 2); err != nil {
				t.Error(err)
			}
		}()
	}
	wait.Wait()
	if text, err := b.Get("n"); string(text) != "100" || err != nil {
		t.Error(string(text), err)
	}
	if swapped, err := b.CompareAndSwap("n", 99, 1); swapped || err != nil {
		t.Error(swapped, err)
	}
	if swapped, err := b.CompareAndSwap("n", 100, 1); !swapped || err != nil {
		t.Error(swapped, err)
	}
	if swapped, err := b.CompareAndSwap("none", 0, 1); swapped || err != nil {
		t.Error(swapped, err)
	}
	if err := b.Set("n", []byte("many")); err != nil {
		t.Error(err)
	}
	if _, err := b.Increment("n", 1); err == nil {
		t.Error("many was a number")
	}
}

func ExampleBucket() {
	visits, err := keyvalue.Open("visits")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer visits.Close()
	n, err := visits.Increment("front page", 1)
	fmt.Println(n, err)
	// Output: 1 <nil>
}

func ExampleSetJSON() {
	type customer struct{ Name string }
	customers, _ := keyvalue.Open("customers")
	defer customers.Close()
	_ = keyvalue.SetJSON(customers, "7", customer{"Ada"})
	found, err := keyvalue.GetJSON[customer](customers, "7")
	fmt.Println(found.Name, err)
	_, err = keyvalue.GetJSON[customer](customers, "8")
	fmt.Println(errors.Is(err, keyvalue.ErrNotFound))
	// Output:
	// Ada <nil>
	// true
}
