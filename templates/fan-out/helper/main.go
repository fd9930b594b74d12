// Program helper counts the words of one text.
package main

import (
	"context"
	"maps"
	"slices"
	"strings"

	"go_module/helper/internal/golem/work"
)

type helper struct{}

// Count counts words.
func (helper) Count(_ context.Context, text string) ([]work.Words, error) {
	times := map[string]uint32{}
	for _, word := range strings.Fields(strings.ToLower(text)) {
		times[strings.Trim(word, ".,;:!?")]++
	}
	var all []work.Words
	for _, word := range slices.Sorted(maps.Keys(times)) {
		all = append(all, work.Words{Word: word, Times: times[word]})
	}
	return all, nil
}

func init() {
	work.Export(helper{})
}

// main is never called: a component only answers calls of its exports.
func main() {}
