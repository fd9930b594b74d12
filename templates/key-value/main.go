package main

import (
	"context"
	"errors"
	"strings"

	"github.com/golem-workers/golem-go/keyvalue"
	"github.com/golem-workers/golem-go/wit"

	"go_module/internal/golem/api"
)

// guest is the prefix of the keys that hold entries. One more key, visits, holds a number.
const (
	guest  = "guest/"
	visits = "visits"
)

// book has no state of its own: what is shared lies in a bucket, which all workers of this component see and which lives
// longer than any of them. A change is part of the worker's history: it happens exactly once.
type book struct{}

// Sign writes an entry.
func (book) Sign(_ context.Context, what api.Entry) (uint64, error) {
	return within(func(b *keyvalue.Bucket) (uint64, error) {
		if err := keyvalue.SetJSON(b, guest+what.Name, what); err != nil {
			return 0, err
		}
		return b.Increment(visits, 1)
	})
}

// Find returns the last entry of a guest, nil if there is none.
func (book) Find(_ context.Context, name string) (*api.Entry, error) {
	return within(func(b *keyvalue.Bucket) (*api.Entry, error) {
		entry, err := keyvalue.GetJSON[api.Entry](b, guest+name)
		switch {
		case errors.Is(err, keyvalue.ErrNotFound):
			return nil, nil
		case err != nil:
			return nil, err
		}
		return &entry, nil
	})
}

// Guests returns the names of all guests.
func (book) Guests(context.Context) ([]string, error) {
	return within(func(b *keyvalue.Bucket) ([]string, error) {
		keys, err := b.Keys()
		var names []string
		for _, key := range keys {
			if name, ok := strings.CutPrefix(key, guest); ok {
				names = append(names, name)
			}
		}
		return names, err
	})
}

// within runs f with the bucket. What goes wrong becomes the string that the interface has for errors.
func within[T any](f func(*keyvalue.Bucket) (T, error)) (T, error) {
	var none T
	b, err := keyvalue.Open("guest-book")
	if err != nil {
		return none, wit.Error(err.Error())
	}
	defer b.Close()
	value, err := f(b)
	if err != nil {
		return none, wit.Error(err.Error())
	}
	return value, nil
}

func init() {
	api.Export(book{})
}

// main is never called: a component only answers calls of its exports.
func main() {}
