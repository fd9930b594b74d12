// SPDX-License-Identifier: Apache-2.0

// Package os has the functions of Golem's Go SDK 1.1 for arguments and environment. They are those of the standard library,
// which works in a worker; new programs use it directly.
package os

import "os"

// Getenv returns the value of a variable of the worker's environment, or "".
func Getenv(key string) string {
	return os.Getenv(key)
}

// LookupEnv returns the value of a variable of the worker's environment, and whether there is one.
func LookupEnv(key string) (value string, ok bool) {
	return os.LookupEnv(key)
}

// GetArgs returns the worker's arguments.
func GetArgs() []string {
	return os.Args
}

// InitStd does nothing: the standard library knows arguments and environment.
func InitStd() {}

// InitStdArgs does nothing: os.Args is right.
func InitStdArgs() {}

// InitStdEnv does nothing: os.Getenv is right.
func InitStdEnv() {}
