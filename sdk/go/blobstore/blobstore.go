// SPDX-License-Identifier: Apache-2.0

// Package blobstore keeps objects, pieces of bytes under names, in containers that all workers of a component share and that
// live longer than any of them. A change happens exactly once, as with package keyvalue; objects may be larger and are read
// in parts. In go test the containers are in the memory of the process.
package blobstore

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"time"
)

// Container is a set of objects. Close it when it is no longer needed.
type Container struct {
	name string
	store
}

// Info is what is known of a container.
type Info struct {
	Name      string
	CreatedAt time.Time
}

// ObjectInfo is what is known of an object.
type ObjectInfo struct {
	Name      string
	Container string
	CreatedAt time.Time
	// Size is in bytes.
	Size uint64
}

// Create makes a container. One that exists is an error.
func Create(name string) (*Container, error) {
	return opened("create", name, create)
}

// Open opens a container that exists.
func Open(name string) (*Container, error) {
	return opened("open", name, open)
}

// OpenOrCreate opens a container and makes it if it does not exist.
func OpenOrCreate(name string) (*Container, error) {
	there, err := Exists(name)
	switch {
	case err != nil:
		return nil, err
	case there:
		return Open(name)
	default:
		return Create(name)
	}
}

func opened(what, name string, how func(string) (store, error)) (*Container, error) {
	store, err := how(name)
	if err != nil {
		return nil, fmt.Errorf("%s the container %q: %w", what, name, err)
	}
	return &Container{name, store}, nil
}

// Exists tells whether there is a container of a name.
func Exists(name string) (bool, error) {
	found, err := exists(name)
	if err != nil {
		return false, fmt.Errorf("look for the container %q: %w", name, err)
	}
	return found, nil
}

// Delete removes a container and all its objects.
func Delete(name string) error {
	if err := remove(name); err != nil {
		return fmt.Errorf("delete the container %q: %w", name, err)
	}
	return nil
}

// Name returns the name of the container.
func (c *Container) Name() string {
	return c.name
}

// Close gives the container back; its content stays.
func (c *Container) Close() {
	c.store.close()
}

// Info returns what is known of the container.
func (c *Container) Info() (Info, error) {
	info, err := c.store.info()
	return info, c.failed("ask for", "", err)
}

// Write puts an object in place of what had its name.
func (c *Container) Write(name string, data []byte) error {
	_, err := c.WriteFrom(name, bytes.NewReader(data))
	return err
}

// WriteFrom puts what r has, to its end, in place of what had the object's name. If reading fails nothing changes.
func (c *Container) WriteFrom(name string, r io.Reader) (int64, error) {
	n, err := c.store.write(name, r)
	return n, c.failed("write", name, err)
}

// Read returns an object.
func (c *Container) Read(name string) ([]byte, error) {
	return c.ReadRange(name, 0, math.MaxInt64)
}

// ReadRange returns up to length bytes of an object from offset on; there are fewer at its end.
func (c *Container) ReadRange(name string, offset, length int64) ([]byte, error) {
	if offset < 0 || length < 0 {
		return nil, c.failed("read", name, fmt.Errorf("the range from %d, %d bytes long, is none", offset, length))
	}
	if length == 0 {
		return nil, nil
	}
	// Both ends are part of the range.
	last := uint64(offset) + uint64(length) - 1
	data, err := c.store.read(name, uint64(offset), last)
	return data, c.failed("read", name, err)
}

// List returns the names of all objects, in order.
func (c *Container) List() ([]string, error) {
	names, err := c.store.list()
	return names, c.failed("list", "", err)
}

// Has tells whether there is an object of a name.
func (c *Container) Has(name string) (bool, error) {
	found, err := c.store.has(name)
	return found, c.failed("look for", name, err)
}

// Stat returns what is known of an object.
func (c *Container) Stat(name string) (ObjectInfo, error) {
	info, err := c.store.stat(name)
	return info, c.failed("ask for", name, err)
}

// Delete removes objects; one that does not exist is no error.
func (c *Container) Delete(names ...string) error {
	return c.failed("delete from", "", c.store.remove(names))
}

// Clear removes all objects.
func (c *Container) Clear() error {
	return c.failed("clear", "", c.store.clear())
}

// ObjectID names an object of any container.
type ObjectID struct {
	Container string
	Object    string
}

// Copy puts a copy of an object in place of what has the other name.
func Copy(from, to ObjectID) error {
	return transferred("copy", from, to, duplicate(from, to))
}

// Move puts an object in place of what has the other name.
func Move(from, to ObjectID) error {
	return transferred("move", from, to, rename(from, to))
}

func transferred(what string, from, to ObjectID, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %q of %q to %q of %q: %w", what, from.Object, from.Container, to.Object, to.Container, err)
}

func (c *Container) failed(what, object string, err error) error {
	if err == nil {
		return nil
	}
	if object == "" {
		return fmt.Errorf("%s the container %q: %w", what, c.name, err)
	}
	return fmt.Errorf("%s %q in the container %q: %w", what, object, c.name, err)
}
