// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// served answers each request with a status and a body, and returns what was asked.
func served(t *testing.T, status int, body string) (*Client, func() (string, http.Header, string)) {
	t.Helper()
	var at string
	var header http.Header
	var text []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at, header = r.Method+" "+r.RequestURI, r.Header
		text, _ = io.ReadAll(r.Body)
		w.Header().Set("Idempotency-Key", "k-made")
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	c, err := New(server.URL, WithToken("secret"))
	if err != nil {
		t.Fatal(err)
	}
	return c, func() (string, http.Header, string) { return at, header, string(text) }
}

func TestACallIsWrittenAsTheServerReadsIt(t *testing.T) {
	c, asked := served(t, 200, `{"result":{"typ":{"type":"Tuple","items":[{"type":"U64"}]},"value":[18446744073709551615]}}`)
	args, err := Args(uint64(1), Bytes{7, 255}, map[string]any{"a-b": nil})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.InvokeAndAwait(context.Background(), "cid", "a/b ü", "x:y/z.{f}", args, &InvokeAndAwaitOptions{IdempotencyKey: "k", Timeout: "30s"})
	if err != nil {
		t.Fatal(err)
	}
	var result uint64
	if err := answer.Result.Into(&result); err != nil || result != 18446744073709551615 {
		t.Fatal(result, err)
	}
	at, header, body := asked()
	if at != "POST /v1/components/cid/workers/a%2Fb%20%C3%BC/invoke-and-await?function=x%3Ay%2Fz.%7Bf%7D&timeout=30s" {
		t.Fatal(at)
	}
	if header.Get("Idempotency-Key") != "k" || header.Get("Authorization") != "Bearer secret" {
		t.Fatal(header)
	}
	if body != `{"params":[{"value":1},{"value":[7,255]},{"value":{"a-b":null}}]}` {
		t.Fatal(body)
	}
}

func TestAFailureHasItsCodeAndHint(t *testing.T) {
	c, _ := served(t, 500, `{"golemError":{"type":"RuntimeError","details":"boom"},"code":"WRK-006","message":"boom","hint":"look"}`)
	err := c.DeleteWorker(context.Background(), "cid", "w")
	var failure *Error
	if !errors.As(err, &failure) {
		t.Fatal(err)
	}
	if failure.Status != 500 || failure.Code != "WRK-006" || failure.Hint != "look" || failure.Golem.Type != "RuntimeError" {
		t.Fatalf("%+v", failure)
	}
	if failure.IdempotencyKey != "k-made" || failure.RetryAfter != time.Second || !IsCode(err, "WRK-006") {
		t.Fatalf("%+v", failure)
	}
	c, _ = served(t, 502, "<html>")
	if err := c.DeleteWorker(context.Background(), "cid", "w"); err == nil || !strings.Contains(err.Error(), "502") {
		t.Fatal(err)
	}
}

func TestAFormHasThePartsThatAreThere(t *testing.T) {
	c, asked := served(t, 200, `{}`)
	form := CreateComponentForm{Name: "shop", Component: []byte("\x00asm"), FilesPermissions: &FilesPermissions{Values: []PathPermissions{}}}
	if _, err := c.CreateComponent(context.Background(), form); err != nil {
		t.Fatal(err)
	}
	_, header, body := asked()
	if !strings.HasPrefix(header.Get("Content-Type"), "multipart/form-data; boundary=") {
		t.Fatal(header)
	}
	for _, part := range []string{`name="name"`, "\r\n\r\nshop\r\n", `name="component"; filename="component"`, `{"values":[]}`} {
		if !strings.Contains(body, part) {
			t.Fatal(part, body)
		}
	}
	if strings.Contains(body, "componentType") || strings.Contains(body, `name="files"`) {
		t.Fatal(body)
	}
}

func TestACallEndsWithItsContext(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer server.Close()
	c, err := New(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Version(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestAnAddressIsOneOfAServer(t *testing.T) {
	for _, wrong := range []string{"", "127.0.0.1:9881", "ftp://x", "http://"} {
		if _, err := New(wrong); err == nil {
			t.Fatal(wrong)
		}
	}
}

func TestBytesAreNumbers(t *testing.T) {
	var read Bytes
	if err := json.Unmarshal([]byte("[0,255]"), &read); err != nil || len(read) != 2 || read[1] != 255 {
		t.Fatal(read, err)
	}
	if err := json.Unmarshal([]byte("[256]"), &read); err == nil {
		t.Fatal("256 was taken")
	}
	text, err := json.Marshal(Bytes{})
	if err != nil || string(text) != "[]" {
		t.Fatal(string(text), err)
	}
}
