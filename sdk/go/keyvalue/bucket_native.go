// SPDX-License-Identifier: Apache-2.0

//go:build !wasip1

package keyvalue

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/golem-workers/golem-go/internal/double"
)

var (
	mu      sync.Mutex
	buckets = map[string]map[string][]byte{}
)

func init() {
	double.OnReset(func() {
		mu.Lock()
		defer mu.Unlock()
		buckets = map[string]map[string][]byte{}
	})
}

type bucket struct {
	name string
}

func open(name string) (bucket, error) {
	return bucket{name}, nil
}

func (bucket) close() {}

// with shows the content, locked.
func (b bucket) with(show func(map[string][]byte)) {
	mu.Lock()
	defer mu.Unlock()
	if buckets[b.name] == nil {
		buckets[b.name] = map[string][]byte{}
	}
	show(buckets[b.name])
}

func (b bucket) get(key string) (data []byte, ok bool, err error) {
	b.with(func(m map[string][]byte) {
		data, ok = m[key]
		data = slices.Clone(data)
	})
	return data, ok, nil
}

func (b bucket) set(key string, data []byte) error {
	b.with(func(m map[string][]byte) { m[key] = slices.Clone(data) })
	return nil
}

func (b bucket) exists(key string) (ok bool, err error) {
	b.with(func(m map[string][]byte) { _, ok = m[key] })
	return ok, nil
}

func (b bucket) remove(keys []string) error {
	b.with(func(m map[string][]byte) {
		for _, key := range keys {
			delete(m, key)
		}
	})
	return nil
}

func (b bucket) keys() (keys []string, err error) {
	b.with(func(m map[string][]byte) { keys = slices.Sorted(maps.Keys(m)) })
	return keys, nil
}

func (b bucket) getMany(keys []string) (map[string][]byte, error) {
	found := map[string][]byte{}
	b.with(func(m map[string][]byte) {
		for _, key := range keys {
			if data, ok := m[key]; ok {
				found[key] = slices.Clone(data)
			}
		}
	})
	return found, nil
}

func (b bucket) setMany(values map[string][]byte) error {
	b.with(func(m map[string][]byte) {
		for key, data := range values {
			m[key] = slices.Clone(data)
		}
	})
	return nil
}

var errNoNumber = errors.New("the value is no number")

func number(m map[string][]byte, key string) (uint64, error) {
	data, ok := m[key]
	if !ok {
		return 0, nil
	}
	n, err := strconv.ParseUint(string(data), 10, 64)
	if err != nil {
		return 0, errNoNumber
	}
	return n, nil
}

func (b bucket) increment(key string, delta uint64) (sum uint64, err error) {
	b.with(func(m map[string][]byte) {
		if sum, err = number(m, key); err == nil {
			sum += delta
			m[key] = strconv.AppendUint(nil, sum, 10)
		}
	})
	return sum, err
}

func (b bucket) swap(key string, old, new uint64) (swapped bool, err error) {
	b.with(func(m map[string][]byte) {
		var n uint64
		if _, ok := m[key]; !ok {
			return
		}
		if n, err = number(m, key); err == nil && n == old {
			m[key] = strconv.AppendUint(nil, new, 10)
			swapped = true
		}
	})
	return swapped, err
}
