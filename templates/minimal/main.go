package main

import (
	"context"
	"fmt"

	"go_module/internal/golem/api"
)

// counter is the state of a worker. Every worker has its own and keeps it from one invocation to the next, also when the
// server is killed and started again.
type counter struct {
	total uint64
}

// Add adds value to the counter and returns the new total.
func (c *counter) Add(_ context.Context, value uint64) (uint64, error) {
	c.total += value
	fmt.Println("added", value)
	return c.total, nil
}

// Get returns the total.
func (c *counter) Get(_ context.Context) (uint64, error) {
	return c.total, nil
}

func init() {
	api.Export(&counter{})
}

// main is never called: a component only answers calls of its exports.
func main() {}
