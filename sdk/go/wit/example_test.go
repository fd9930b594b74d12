// SPDX-License-Identifier: Apache-2.0

package wit_test

import (
	"fmt"

	"github.com/golem-workers/golem-go/wit"
)

func ExampleSome() {
	price := wit.Some[uint64](30)
	fmt.Println(*price)
	// Output: 30
}

func ExampleResult() {
	for _, result := range []wit.Result[int, string]{wit.Ok[int, string](7), wit.Err[int]("no")} {
		if result.IsErr() {
			fmt.Println("failed:", result.UnwrapErr())
			continue
		}
		fmt.Println(result.Unwrap())
	}
	// Output:
	// 7
	// failed: no
}

func ExampleTuple2() {
	pair := wit.Tuple2[string, int]{F0: "apples", F1: 3}
	fmt.Println(pair.F0, pair.F1)
	// Output: apples 3
}
