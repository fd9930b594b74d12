// SPDX-License-Identifier: Apache-2.0

// The program of the test `client` in tests/it/rest.rs: everything that a program outside does with a server, through the client
// that is made of its OpenAPI document. Arguments: the address of the server, the file of the component. It says what it has seen.
package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/golem-workers/golem-go/client"
)

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("all of it")
}

func run(base, path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	wasm, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	c, err := client.New(base)
	if err != nil {
		return err
	}
	version, err := c.Version(ctx)
	if err != nil || version.Version != "1.1.0" {
		return fmt.Errorf("version: %v, %w", version, err)
	}

	// A component with files.
	var archive bytes.Buffer
	writer := zip.NewWriter(&archive)
	file, err := writer.Create("etc/app.conf")
	if err != nil {
		return err
	}
	if _, err := file.Write([]byte("colour = red")); err != nil {
		return err
	}
	if err := writer.Close(); err != nil {
		return err
	}
	made, err := c.CreateComponent(ctx, client.CreateComponentForm{
		Name:          "adder",
		Component:     wasm,
		ComponentType: client.ComponentTypeDurable,
		Files:         archive.Bytes(),
		FilesPermissions: &client.FilesPermissions{Values: []client.PathPermissions{
			{Path: "/etc/app.conf", Permissions: client.FilePermissionsReadWrite},
		}},
	})
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	id := made.VersionedComponentID.ComponentID
	if len(made.Files) != 1 || made.Files[0].Permissions != client.FilePermissionsReadWrite {
		return fmt.Errorf("files: %+v", made.Files)
	}
	all, err := c.ListComponents(ctx, &client.ListComponentsOptions{ComponentName: "adder"})
	if err != nil || len(all) != 1 {
		return fmt.Errorf("list: %v, %w", all, err)
	}

	// An invocation, and the same once more.
	args, err := client.Args(uint64(20), uint64(22))
	if err != nil {
		return err
	}
	for range 2 {
		answer, err := c.InvokeAndAwait(ctx, id, "w 1", "add", args, &client.InvokeAndAwaitOptions{IdempotencyKey: "k-1"})
		if err != nil {
			return fmt.Errorf("invoke: %w", err)
		}
		var sum uint64
		if err := answer.Result.Into(&sum); err != nil || sum != 42 {
			return fmt.Errorf("sum: %d, %w", sum, err)
		}
	}

	// Failures have codes and hints.
	other, err := client.Args(uint64(1), uint64(1))
	if err != nil {
		return err
	}
	_, err = c.InvokeAndAwait(ctx, id, "w 1", "add", other, &client.InvokeAndAwaitOptions{IdempotencyKey: "k-1"})
	if !client.IsCode(err, "WRK-005") {
		return fmt.Errorf("a key that was used: %w", err)
	}
	_, err = c.InvokeAndAwait(ctx, id, "w 1", "boom", client.InvokeParameters{Params: []client.Param{}}, nil)
	var failure *client.Error
	if !errors.As(err, &failure) || failure.Code != "WRK-006" || failure.Golem == nil || failure.Golem.Type != "RuntimeError" {
		return fmt.Errorf("a trap: %w", err)
	}
	if failure.Hint == "" || failure.IdempotencyKey == "" {
		return fmt.Errorf("a trap says too little: %+v", failure)
	}
	if _, err := c.Worker(ctx, id, "nobody"); !client.IsCode(err, "WRK-001") {
		return fmt.Errorf("a worker that is not there: %w", err)
	}

	// What is known of the worker, and what it has done.
	if err := c.RevertWorker(ctx, id, "w 1", client.RevertRequest{NumberOfInvocations: client.Ptr(uint64(1))}); err != nil {
		return fmt.Errorf("revert: %w", err)
	}
	worker, err := c.Worker(ctx, id, "w 1")
	if err != nil || worker.Status != client.WorkerStatusIdle || worker.WorkerID.WorkerName != "w 1" {
		return fmt.Errorf("worker: %+v, %w", worker, err)
	}
	page, err := c.FindWorkers(ctx, id, client.WorkersFind{Filter: &client.Filter{Type: "Not", Filter: &client.Filter{
		Type: "Name", Comparator: []byte(`"Equal"`), Value: []byte(`"w 1"`),
	}}})
	if err != nil || len(page.Workers) != 0 {
		return fmt.Errorf("find: %+v, %w", page, err)
	}
	var seen []string
	options := client.OplogOptions{Count: client.Ptr(uint64(2))}
	for {
		page, err := c.Oplog(ctx, id, "w 1", &options)
		if err != nil {
			return fmt.Errorf("oplog: %w", err)
		}
		if len(page.Entries) == 0 {
			break
		}
		for _, entry := range page.Entries {
			seen = append(seen, entry.Entry.Type)
		}
		options.Cursor = fmt.Sprintf("%d-%d", page.Next.NextOplogIndex, page.Next.CurrentComponentVersion)
	}
	if len(seen) < 4 || seen[0] != "Create" {
		return fmt.Errorf("oplog: %v", seen)
	}

	// Files.
	nodes, err := c.ListFiles(ctx, id, "w 1", "etc")
	if err != nil || len(nodes.Nodes) != 1 || nodes.Nodes[0].Name != "app.conf" || *nodes.Nodes[0].Size != 12 {
		return fmt.Errorf("nodes: %+v, %w", nodes, err)
	}
	content, err := c.ReadFile(ctx, id, "w 1", "/etc/app.conf")
	if err != nil || string(content) != "colour = red" {
		return fmt.Errorf("file: %q, %w", content, err)
	}

	// What is here no more.
	if err := c.DeleteWorker(ctx, id, "w 1"); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	return nil
}
