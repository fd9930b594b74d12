// Program caller calls a program of another language.
package main

import (
	"context"
	"fmt"

	"example.com/languages/caller/internal/golem/asking"
	"example.com/languages/caller/internal/golem/guest"
	"example.com/languages/internal/golem/worker"
)

type caller struct{ calls uint32 }

func (c *caller) Ask(ctx context.Context, uri string, name string) (string, error) {
	c.calls++
	g := guest.NewTalk(worker.URI(uri))
	defer g.Close()
	if _, err := g.Greet(ctx, name); err != nil {
		return "", err
	}
	text, err := g.GreetAsync(name).Await(ctx)
	return fmt.Sprintf("%d: %s", c.calls, text), err
}

func init() { asking.Export(&caller{}) }

func main() {}
