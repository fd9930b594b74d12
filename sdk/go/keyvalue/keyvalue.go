// SPDX-License-Identifier: Apache-2.0

// Package keyvalue keeps values under keys, in buckets that all workers of a component share and that live longer than
// any of them.
//
// A change is durable together with the worker's log: it happens exactly once. A reading sees every change made before it.
// In go test the buckets are in the memory of the process.
package keyvalue

import (
	"encoding/json"
	"errors"
	"fmt"
)

// ErrNotFound is the error of reading a key that has no value.
var ErrNotFound = errors.New("no value under this key")

// Bucket is a set of keys with values. Close it when it is no longer needed.
type Bucket struct {
	name string
	bucket
}

// Open opens a bucket. One that nobody has used before is empty.
func Open(name string) (*Bucket, error) {
	opened, err := open(name)
	if err != nil {
		return nil, fmt.Errorf("open the bucket %q: %w", name, err)
	}
	return &Bucket{name, opened}, nil
}

// Name returns the name of the bucket.
func (b *Bucket) Name() string {
	return b.name
}

// Close gives the bucket back; its content stays.
func (b *Bucket) Close() {
	b.bucket.close()
}

// Get returns the value under a key, or ErrNotFound.
func (b *Bucket) Get(key string) ([]byte, error) {
	value, ok, err := b.bucket.get(key)
	switch {
	case err != nil:
		return nil, b.failed("get", key, err)
	case !ok:
		return nil, b.failed("get", key, ErrNotFound)
	default:
		return value, nil
	}
}

// Set puts a value under a key.
func (b *Bucket) Set(key string, value []byte) error {
	return b.failed("set", key, b.bucket.set(key, value))
}

// Delete removes a key; one that has no value is no error.
func (b *Bucket) Delete(key string) error {
	return b.failed("delete", key, b.bucket.remove([]string{key}))
}

// Exists tells whether there is a value under a key.
func (b *Bucket) Exists(key string) (bool, error) {
	found, err := b.bucket.exists(key)
	return found, b.failed("look for", key, err)
}

// Keys returns all keys, in order.
func (b *Bucket) Keys() ([]string, error) {
	keys, err := b.bucket.keys()
	return keys, b.failed("list", "", err)
}

// GetMany returns the values of those keys that have one.
func (b *Bucket) GetMany(keys ...string) (map[string][]byte, error) {
	values, err := b.bucket.getMany(keys)
	return values, b.failed("get many of", "", err)
}

// SetMany puts all values, or none.
func (b *Bucket) SetMany(values map[string][]byte) error {
	return b.failed("set many of", "", b.bucket.setMany(values))
}

// DeleteMany removes all keys.
func (b *Bucket) DeleteMany(keys ...string) error {
	return b.failed("delete many of", "", b.bucket.remove(keys))
}

// Increment adds to the number under a key, which is decimal text and 0 when there is none, and returns the sum.
func (b *Bucket) Increment(key string, delta uint64) (uint64, error) {
	sum, err := b.bucket.increment(key, delta)
	return sum, b.failed("increment", key, err)
}

// CompareAndSwap sets the number under a key if it is old, and tells whether it was. Without a value it does nothing.
func (b *Bucket) CompareAndSwap(key string, old, new uint64) (bool, error) {
	swapped, err := b.bucket.swap(key, old, new)
	return swapped, b.failed("swap", key, err)
}

// GetJSON decodes the value under a key.
func GetJSON[T any](b *Bucket, key string) (T, error) {
	var value T
	data, err := b.Get(key)
	if err != nil {
		return value, err
	}
	return value, b.failed("decode", key, json.Unmarshal(data, &value))
}

// SetJSON encodes a value and puts it under a key.
func SetJSON[T any](b *Bucket, key string, value T) error {
	data, err := json.Marshal(value)
	if err != nil {
		return b.failed("encode", key, err)
	}
	return b.Set(key, data)
}

func (b *Bucket) failed(what, key string, err error) error {
	if err == nil {
		return nil
	}
	if key == "" {
		return fmt.Errorf("%s bucket %q: %w", what, b.name, err)
	}
	return fmt.Errorf("%s %q in bucket %q: %w", what, key, b.name, err)
}
