// SPDX-License-Identifier: Apache-2.0

// Package httpflow turns what the platform has of HTTP into what Go has, for requests in both directions. It has no content
// outside a worker.
package httpflow
