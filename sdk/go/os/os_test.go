// SPDX-License-Identifier: Apache-2.0

package os_test

import (
	"fmt"
	"testing"

	"github.com/golem-workers/golem-go/os"
)

func ExampleLookupEnv() {
	_, ok := os.LookupEnv("GOLEM_NO_SUCH_VARIABLE")
	fmt.Println(ok)
	// Output: false
}

func TestArgumentsAndEnvironmentAreThoseOfTheProgram(t *testing.T) {
	t.Setenv("GOLEM_SDK_TEST", "yes")
	if os.Getenv("GOLEM_SDK_TEST") != "yes" || len(os.GetArgs()) == 0 {
		t.Error(os.Getenv("GOLEM_SDK_TEST"), os.GetArgs())
	}
	os.InitStd()
	os.InitStdArgs()
	os.InitStdEnv()
}
