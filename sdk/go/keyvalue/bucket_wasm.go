// SPDX-License-Identifier: Apache-2.0

//go:build wasip1

package keyvalue

import (
	"errors"
	"slices"

	"github.com/golem-workers/golem-go/internal/platform/atomic"
	"github.com/golem-workers/golem-go/internal/platform/eventual"
	"github.com/golem-workers/golem-go/internal/platform/eventualbatch"
	"github.com/golem-workers/golem-go/internal/platform/keyvaluetypes"
	"github.com/golem-workers/golem-go/internal/platform/wasikeyvalueerror"
	"github.com/golem-workers/golem-go/wit"
)

type bucket struct {
	handle *keyvaluetypes.Bucket
}

func open(name string) (bucket, error) {
	handle, err := keyvaluetypes.BucketOpenBucket(name)
	return bucket{handle}, reason(err)
}

// reason turns an error of the platform, a handle, into a text.
func reason(err error) error {
	var failed *wit.ErrorValue[*wasikeyvalueerror.Error]
	if errors.As(err, &failed) {
		defer failed.Value.Close()
		return errors.New(failed.Value.Trace())
	}
	return err
}

func (b bucket) close() {
	b.handle.Close()
}

func take(value *keyvaluetypes.IncomingValue) ([]byte, error) {
	defer value.Close()
	data, err := value.IncomingValueConsumeSync()
	return data, reason(err)
}

func give(data []byte) (*keyvaluetypes.OutgoingValue, error) {
	value := keyvaluetypes.OutgoingValueNewOutgoingValue()
	if err := value.OutgoingValueWriteBodySync(data); err != nil {
		value.Close()
		return nil, reason(err)
	}
	return value, nil
}

func (b bucket) get(key string) ([]byte, bool, error) {
	value, err := eventual.Get(b.handle, key)
	if err != nil || value == nil {
		return nil, false, reason(err)
	}
	data, err := take(value)
	return data, true, err
}

func (b bucket) set(key string, data []byte) error {
	value, err := give(data)
	if err != nil {
		return err
	}
	defer value.Close()
	return reason(eventual.Set(b.handle, key, value))
}

func (b bucket) exists(key string) (bool, error) {
	found, err := eventual.Exists(b.handle, key)
	return found, reason(err)
}

func (b bucket) remove(keys []string) error {
	if len(keys) == 1 {
		return reason(eventual.Delete(b.handle, keys[0]))
	}
	return reason(eventualbatch.DeleteMany(b.handle, keys))
}

func (b bucket) keys() ([]string, error) {
	keys, err := eventualbatch.Keys(b.handle)
	slices.Sort(keys)
	return keys, reason(err)
}

func (b bucket) getMany(keys []string) (map[string][]byte, error) {
	values, err := eventualbatch.GetMany(b.handle, keys)
	if err != nil {
		return nil, reason(err)
	}
	found := map[string][]byte{}
	var failed error
	for i, value := range values {
		if value == nil {
			continue
		}
		data, err := take(value)
		if err != nil {
			failed = err
		}
		found[keys[i]] = data
	}
	return found, failed
}

func (b bucket) setMany(values map[string][]byte) error {
	// In order, so that a repeated history asks for the same.
	keys := make([]string, 0, len(values))
	for key := range values {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	pairs := make([]wit.Tuple2[string, *keyvaluetypes.OutgoingValue], 0, len(keys))
	for _, key := range keys {
		value, err := give(values[key])
		if err != nil {
			return err
		}
		defer value.Close()
		pairs = append(pairs, wit.Tuple2[string, *keyvaluetypes.OutgoingValue]{F0: key, F1: value})
	}
	return reason(eventualbatch.SetMany(b.handle, pairs))
}

func (b bucket) increment(key string, delta uint64) (uint64, error) {
	sum, err := atomic.Increment(b.handle, key, delta)
	return sum, reason(err)
}

func (b bucket) swap(key string, old, new uint64) (bool, error) {
	swapped, err := atomic.CompareAndSwap(b.handle, key, old, new)
	return swapped, reason(err)
}
