// SPDX-License-Identifier: Apache-2.0

//go:build !wasip1

package blobstore

import (
	"errors"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/golem-workers/golem-go/internal/double"
)

type object struct {
	data []byte
	made time.Time
}

type content struct {
	made    time.Time
	objects map[string]object
}

var (
	mu         sync.Mutex
	containers = map[string]*content{}

	errExists   = errors.New("it exists")
	errNoObject = errors.New("there is no such object")
	errNone     = errors.New("there is no such container")
)

func init() {
	double.OnReset(func() {
		mu.Lock()
		defer mu.Unlock()
		containers = map[string]*content{}
	})
}

type store struct {
	name string
}

func create(name string) (store, error) {
	mu.Lock()
	defer mu.Unlock()
	if containers[name] != nil {
		return store{}, errExists
	}
	containers[name] = &content{time.Now(), map[string]object{}}
	return store{name}, nil
}

func open(name string) (store, error) {
	s := store{name}
	return s, s.with(func(*content) error { return nil })
}

func exists(name string) (bool, error) {
	mu.Lock()
	defer mu.Unlock()
	return containers[name] != nil, nil
}

func remove(name string) error {
	mu.Lock()
	defer mu.Unlock()
	if containers[name] == nil {
		return errNone
	}
	delete(containers, name)
	return nil
}

func duplicate(from, to ObjectID) error {
	mu.Lock()
	defer mu.Unlock()
	source, target := containers[from.Container], containers[to.Container]
	if source == nil || target == nil {
		return errNone
	}
	found, ok := source.objects[from.Object]
	if !ok {
		return errNoObject
	}
	target.objects[to.Object] = object{found.data, time.Now()}
	return nil
}

func rename(from, to ObjectID) error {
	if err := duplicate(from, to); err != nil || from == to {
		return err
	}
	return store{from.Container}.remove([]string{from.Object})
}

// with shows the content, locked.
func (s store) with(show func(*content) error) error {
	mu.Lock()
	defer mu.Unlock()
	if containers[s.name] == nil {
		return errNone
	}
	return show(containers[s.name])
}

// object shows one object, locked.
func (s store) object(name string, show func(object)) error {
	return s.with(func(c *content) error {
		found, ok := c.objects[name]
		if !ok {
			return errNoObject
		}
		show(found)
		return nil
	})
}

func (store) close() {}

func (s store) info() (info Info, err error) {
	err = s.with(func(c *content) error {
		info = Info{Name: s.name, CreatedAt: c.made}
		return nil
	})
	return info, err
}

func (s store) write(name string, r io.Reader) (int64, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return int64(len(data)), err
	}
	return int64(len(data)), s.with(func(c *content) error {
		c.objects[name] = object{data, time.Now()}
		return nil
	})
}

func (s store) read(name string, first, last uint64) (data []byte, err error) {
	err = s.object(name, func(o object) {
		size := uint64(len(o.data))
		end := min(last, size-1) + 1
		if size == 0 {
			end = 0
		}
		data = slices.Clone(o.data[min(first, end):end])
	})
	return data, err
}

func (s store) list() (names []string, err error) {
	err = s.with(func(c *content) error {
		names = slices.Sorted(maps.Keys(c.objects))
		return nil
	})
	return names, err
}

func (s store) has(name string) (found bool, err error) {
	err = s.with(func(c *content) error {
		_, found = c.objects[name]
		return nil
	})
	return found, err
}

func (s store) stat(name string) (info ObjectInfo, err error) {
	err = s.object(name, func(o object) {
		info = ObjectInfo{Name: name, Container: s.name, CreatedAt: o.made, Size: uint64(len(o.data))}
	})
	return info, err
}

func (s store) remove(names []string) error {
	return s.with(func(c *content) error {
		for _, name := range names {
			delete(c.objects, name)
		}
		return nil
	})
}

func (s store) clear() error {
	return s.with(func(c *content) error {
		clear(c.objects)
		return nil
	})
}
