// SPDX-License-Identifier: Apache-2.0

package std_test

import (
	"github.com/golem-workers/golem-go/std"
)

func ExampleInit() {
	std.Init(std.Packages{Os: true})
	// Output:
}
