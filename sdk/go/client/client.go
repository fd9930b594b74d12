// SPDX-License-Identifier: Apache-2.0

// Package client asks a golem-cli server from an ordinary Go program: it uploads components, creates and calls workers, reads
// their oplogs and files. It is for programs outside; a worker calls others through stubs (package rpc).
//
//	c, err := client.New("http://127.0.0.1:9881")
//	…
//	args, err := client.Args(uint64(3))
//	…
//	answer, err := c.InvokeAndAwait(ctx, component, "cart-1", "shop:cart/api.{add}", args, nil)
//	…
//	var total uint64
//	err = answer.Result.Into(&total)
//
// Each call takes a context and gives up when it ends; the server goes on with what it has accepted. Every failure of the server
// is an [*Error] with a stable code and a hint:
//
//	var failure *client.Error
//	if errors.As(err, &failure) && failure.Code == "WRK-001" { … }
//
// A call that was broken off is asked again with the same idempotency key: it runs once, and the second call gets its result.
//
// Types and methods are made of the OpenAPI document of the server (docs/openapi.json): types.go, calls.go.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// answerBytesMax is the largest answer that is read: a recording has at most 256 MiB, files of workers are read in parts.
const answerBytesMax = 1 << 30

// Client asks one server. It may be used by many goroutines at once.
type Client struct {
	base  string
	token string
	http  *http.Client
}

// Option changes how a [Client] asks.
type Option func(*Client)

// WithToken sends a token with each request: for servers that ask for one.
func WithToken(token string) Option {
	return func(c *Client) { c.token = token }
}

// WithHTTPClient asks through h instead of [http.DefaultClient]: for certificates, proxies and time limits of one's own.
func WithHTTPClient(h *http.Client) Option {
	return func(c *Client) { c.http = h }
}

// New is a client of the server at base, such as "http://127.0.0.1:9881". It asks nothing yet.
func New(base string, options ...Option) (*Client, error) {
	at, err := url.Parse(base)
	if err != nil {
		return nil, fmt.Errorf("the address of the server: %w", err)
	}
	if (at.Scheme != "http" && at.Scheme != "https") || at.Host == "" {
		return nil, fmt.Errorf("the address of the server: %q is not like http://127.0.0.1:9881", base)
	}
	c := &Client{base: strings.TrimRight(base, "/"), http: http.DefaultClient}
	for _, option := range options {
		option(c)
	}
	return c, nil
}

// Ptr is a pointer to a value, for fields that may be left out.
func Ptr[T any](value T) *T { return &value }

// Args are the arguments of a function, each as JSON of its WIT type (docs/rest.md): numbers, strings, slices, maps and structs
// with the names of the WIT. Bytes of a list<u8> are a [Bytes].
func Args(values ...any) (InvokeParameters, error) {
	params := make([]Param, 0, len(values))
	for i, value := range values {
		text, err := json.Marshal(value)
		if err != nil {
			return InvokeParameters{}, fmt.Errorf("argument %d: %w", i, err)
		}
		params = append(params, Param{Value: text})
	}
	return InvokeParameters{Params: params}, nil
}

// Into reads the result of a function with one into a pointer. A function without result has none: then nothing is changed.
func (v TypeAnnotatedValue) Into(target any) error {
	var results []json.RawMessage
	if err := json.Unmarshal(v.Value, &results); err != nil {
		return fmt.Errorf("the result is no list: %w", err)
	}
	if len(results) == 0 {
		return nil
	}
	return json.Unmarshal(results[0], target)
}

// Bytes are bytes that are a list of numbers in JSON, as WIT has them.
type Bytes []byte

// MarshalJSON writes a list of numbers.
func (b Bytes) MarshalJSON() ([]byte, error) {
	out := make([]byte, 0, 4*len(b)+2)
	out = append(out, '[')
	for i, one := range b {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendUint(out, uint64(one), 10)
	}
	return append(out, ']'), nil
}

// UnmarshalJSON reads a list of numbers.
func (b *Bytes) UnmarshalJSON(text []byte) error {
	var numbers []uint16
	if err := json.Unmarshal(text, &numbers); err != nil {
		return err
	}
	*b = make(Bytes, len(numbers))
	for i, number := range numbers {
		if number > 255 {
			return fmt.Errorf("%d is no byte", number)
		}
		(*b)[i] = byte(number)
	}
	return nil
}

// Error is a failure that the server told.
type Error struct {
	// Status is that of HTTP.
	Status int
	// Code never changes its meaning: docs/errors/.
	Code string
	// Message is one sentence with what was wrong.
	Message string
	// Hint is what to do next; mostly a command that can be pasted.
	Hint string
	// Golem is what went wrong with a worker; nil for most failures.
	Golem *GolemError
	// IdempotencyKey is that of the invocation, also when the server made it: to ask again.
	IdempotencyKey string
	// RetryAfter is how long the server wants to be left alone; 0 when it does not say.
	RetryAfter time.Duration
}

// Error is the sentence with its code.
func (e *Error) Error() string {
	text := e.Message
	if e.Code != "" {
		text += " [" + e.Code + "]"
	}
	if e.Hint != "" {
		text += "; hint: " + e.Hint
	}
	return text
}

// IsCode tells whether an error is a failure of the server with this code.
func IsCode(err error, code string) bool {
	var failure *Error
	return errors.As(err, &failure) && failure.Code == code
}

// request is one question.
type request struct {
	verb, path string
	query      url.Values
	header     http.Header
	// At most one of them.
	json  any
	bytes []byte
	parts []part
}

// part is one of a form.
type part struct {
	name, kind string
	file       bool
	content    []byte
}

func (r *request) text(name, text string) {
	if text != "" {
		r.parts = append(r.parts, part{name: name, kind: "text/plain; charset=utf-8", content: []byte(text)})
	}
}

func (r *request) file(name string, content []byte) {
	if content != nil {
		r.parts = append(r.parts, part{name: name, kind: "application/octet-stream", file: true, content: content})
	}
}

func (r *request) jsonPart(name string, value any) {
	// What is sent this way are structs of texts, which cannot fail to be JSON.
	content, _ := json.Marshal(value)
	r.parts = append(r.parts, part{name: name, kind: "application/json", content: content})
}

// body is the body and its kind.
func (r *request) body() (io.Reader, string, error) {
	switch {
	case r.json != nil:
		text, err := json.Marshal(r.json)
		return bytes.NewReader(text), "application/json", err
	case r.bytes != nil:
		return bytes.NewReader(r.bytes), "application/octet-stream", nil
	case r.parts != nil:
		var form bytes.Buffer
		writer := multipart.NewWriter(&form)
		for _, part := range r.parts {
			head := fmt.Sprintf("form-data; name=%q", part.name)
			if part.file {
				head += fmt.Sprintf("; filename=%q", part.name)
			}
			to, err := writer.CreatePart(map[string][]string{
				"Content-Disposition": {head},
				"Content-Type":        {part.kind},
			})
			if err != nil {
				return nil, "", err
			}
			if _, err := to.Write(part.content); err != nil {
				return nil, "", err
			}
		}
		err := writer.Close()
		return &form, writer.FormDataContentType(), err
	}
	return nil, "", nil
}

// do asks, and reads the answer into a pointer unless that is nil.
func (c *Client) do(ctx context.Context, r request, into any) error {
	text, err := c.doBytes(ctx, r)
	if err != nil || into == nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("the answer of %s %s: %w", r.verb, r.path, err)
	}
	return nil
}

// doBytes asks, and returns the answer as it is.
func (c *Client) doBytes(ctx context.Context, r request) ([]byte, error) {
	body, kind, err := r.body()
	if err != nil {
		return nil, err
	}
	at := c.base + r.path
	if len(r.query) > 0 {
		at += "?" + r.query.Encode()
	}
	question, err := http.NewRequestWithContext(ctx, r.verb, at, body)
	if err != nil {
		return nil, err
	}
	question.Header = r.header
	if kind != "" {
		question.Header.Set("Content-Type", kind)
	}
	if c.token != "" {
		question.Header.Set("Authorization", "Bearer "+c.token)
	}
	answer, err := c.http.Do(question)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, answerBytesMax))
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, failure(answer, text)
	}
	return text, nil
}

// failure is the error of an answer that is no success. Whatever its body is, there is a sentence.
func failure(answer *http.Response, text []byte) *Error {
	failure := &Error{Status: answer.StatusCode, IdempotencyKey: answer.Header.Get("Idempotency-Key")}
	if seconds, err := strconv.ParseUint(answer.Header.Get("Retry-After"), 10, 16); err == nil {
		failure.RetryAfter = time.Duration(seconds) * time.Second
	}
	var body ErrorBody
	if json.Unmarshal(text, &body) == nil {
		failure.Golem = body.GolemError
		for _, field := range []struct {
			from *string
			to   *string
		}{{body.Code, &failure.Code}, {body.Message, &failure.Message}, {body.Hint, &failure.Hint}} {
			if field.from != nil {
				*field.to = *field.from
			}
		}
	}
	if failure.Message == "" {
		failure.Message = "the server answered " + answer.Status
	}
	return failure
}

// segment is a text as one segment of a path.
func segment(text string) string { return url.PathEscape(text) }

// segments is a path inside of a path.
func segments(path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}

func number(number uint64) string { return strconv.FormatUint(number, 10) }

func moment(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.999999Z") }
