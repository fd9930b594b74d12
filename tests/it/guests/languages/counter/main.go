// Program counter counts.
package main

import (
	"context"

	"example.com/languages/counter/internal/golem/counting"
)

type counter struct{ total uint64 }

func (c *counter) Add(_ context.Context, value uint64) error {
	c.total += value
	return nil
}

func (c *counter) Get(context.Context) (uint64, error) { return c.total, nil }

func init() { counting.Export(&counter{}) }

func main() {}
