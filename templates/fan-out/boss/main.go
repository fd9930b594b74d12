// Program boss lets helpers count, all at once.
package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"go_module/boss/internal/golem/helper"
	"go_module/boss/internal/golem/totals"
	"go_module/boss/internal/golem/work"
	"go_module/internal/golem/rpc"
	"go_module/internal/golem/wit"
	"go_module/internal/golem/worker"
)

type boss struct{}

// Count sends every text to a helper of its own and waits for all answers. If the server is killed meanwhile, it goes on
// with those that are missing.
func (boss) Count(ctx context.Context, texts []string) ([]totals.Total, error) {
	var answers []*rpc.Future[[]work.Words]
	for _, text := range texts {
		client := helper.NewWork(worker.Ephemeral("helper"))
		defer client.Close()
		answers = append(answers, client.CountAsync(text))
	}
	counts, err := rpc.All(ctx, answers...)
	if err != nil {
		return nil, wit.Error(fmt.Sprint("a helper failed: ", err))
	}
	return merge(counts), nil
}

func merge(counts [][]work.Words) []totals.Total {
	times := map[string]uint32{}
	for _, count := range counts {
		for _, words := range count {
			times[words.Word] += words.Times
		}
	}
	var all []totals.Total
	for word, n := range times {
		all = append(all, totals.Total{Word: word, Times: n})
	}
	slices.SortFunc(all, func(a, b totals.Total) int {
		return cmp.Or(cmp.Compare(b.Times, a.Times), strings.Compare(a.Word, b.Word))
	})
	return all
}

func init() {
	totals.Export(boss{})
}

// main is never called: a component only answers calls of its exports.
func main() {}
