// SPDX-License-Identifier: Apache-2.0

package worker_test

import (
	"fmt"

	"github.com/golem-workers/golem-go/worker"
)

func ExampleID() {
	fmt.Println(worker.ID("stock", "shelf 7"))
	fmt.Println(worker.ID("6f9619ff-8b86-d011-b42d-00cf4fc964ff", "main"))
	// Output:
	// worker:///stock/shelf%207
	// urn:worker:6f9619ff-8b86-d011-b42d-00cf4fc964ff/main
}

func ExampleEphemeral() {
	fmt.Println(worker.Ephemeral("thumbnails"))
	// Output: worker:///thumbnails
}
