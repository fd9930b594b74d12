// Package integration tests the deployed components.
//
// It needs a server and the components on it: `golem-cli build`, `golem-cli deploy`, then `go test ./integration -v`.
// `go test -short ./...` leaves it out. GOLEM_CLI names another golem-cli.
package integration

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestCallsBetweenWorkers(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a server with the components deployed; run without -short")
	}

	ids := []string{
		"COMPONENT_ONE_ID=" + componentID(t, "component-one"),
		"COMPONENT_TWO_ID=" + componentID(t, "component-two"),
		"COMPONENT_THREE_ID=" + componentID(t, "component-three"),
	}
	worker := "test-" + randomHex(t)
	t.Logf("worker name: %s", worker)

	// The worker of component-three is created by the first call and inherits the environment of its caller.
	addWorker(t, "component-one", worker, ids)
	addWorker(t, "component-two", worker, ids)

	expect := func(one, two, three uint64) {
		t.Helper()
		got := [3]uint64{get(t, "component-one", worker), get(t, "component-two", worker), get(t, "component-three", worker)}
		if want := [3]uint64{one, two, three}; got != want {
			t.Fatalf("counters are %v, expected %v", got, want)
		}
	}

	expect(0, 0, 0)
	add(t, "component-one", worker, 3)
	expect(3, 3, 6)
	add(t, "component-two", worker, 2)
	expect(3, 5, 8)
	add(t, "component-one", worker, 1)
	expect(4, 6, 10)
}

func componentID(t *testing.T, component string) string {
	t.Helper()
	var answer struct {
		ComponentURN string `json:"componentUrn"`
	}
	cli(t, &answer, "--format", "json", "component", "get", "--component{{}}-name", component)
	// urn:component:<id>
	parts := strings.Split(answer.ComponentURN, ":")
	if len(parts) != 3 {
		t.Fatalf("component URN of %s: %q", component, answer.ComponentURN)
	}
	return parts[2]
}

func addWorker(t *testing.T, component, worker string, env []string) {
	t.Helper()
	args := []string{"worker", "--format", "json", "add", "--component{{}}-name", component, "--worker-name", worker}
	for _, variable := range env {
		args = append(args, "--env", variable)
	}
	cli(t, nil, args...)
}

func add(t *testing.T, component, worker string, value uint64) {
	t.Helper()
	invoke(t, component, worker, "add", "--arg", fmt.Sprint(value))
}

func get(t *testing.T, component, worker string) uint64 {
	t.Helper()
	values := invoke(t, component, worker, "get")
	if len(values) != 1 {
		t.Fatalf("get of %s returned %d values", component, len(values))
	}
	var value uint64
	if err := json.Unmarshal(values[0], &value); err != nil {
		t.Fatalf("get of %s returned %s: %v", component, values[0], err)
	}
	return value
}

func invoke(t *testing.T, component, worker, function string, args ...string) []json.RawMessage {
	t.Helper()
	var answer struct {
		Value []json.RawMessage `json:"value"`
	}
	name := fmt.Sprintf("pack-ns:%s/%s-api.{%s}", component, component, function)
	cli(t, &answer, append([]string{
		"--format", "json", "worker", "invoke-and-await",
		"--component{{}}-name", component, "--worker-name", worker, "--function", name,
	}, args...)...)
	return answer.Value
}

// cli runs golem-cli and reads its JSON into answer, unless that is nil.
func cli(t *testing.T, answer any, args ...string) {
	t.Helper()
	program := os.Getenv("GOLEM_CLI")
	if program == "" {
		program = "golem-cli"
	}
	command := exec.Command(program, args...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", program, strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	if answer == nil {
		return
	}
	if err := json.Unmarshal(stdout.Bytes(), answer); err != nil {
		t.Fatalf("%s %s: %v in %s", program, strings.Join(args, " "), err, stdout.String())
	}
}

func randomHex(t *testing.T) string {
	t.Helper()
	random := make([]byte, 8)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(random)
}
