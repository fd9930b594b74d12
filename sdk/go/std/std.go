// SPDX-License-Identifier: Apache-2.0

// Package std is what programs for TinyGo and Golem 1.1 called to make the standard library work in a worker. With the Go
// compiler, environment, arguments, files and clocks work by themselves. Outgoing HTTP works in programs that import
// github.com/golem-workers/golem-go/net/http, if only for that effect. This package is here so that such programs compile.
package std

// Packages says which packages of the standard library a program uses.
type Packages struct {
	Os      bool
	NetHttp bool
}

// Init does nothing. It does not bring net/http into the program, which would make every program seven megabytes larger:
// import _ "github.com/golem-workers/golem-go/net/http" for that.
func Init(Packages) {}
