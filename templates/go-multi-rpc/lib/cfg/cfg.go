// Package cfg finds the workers that a component calls.
//
// The ids of the components are known only after they are deployed, so they come in environment variables. A worker
// that is created by a call inherits the variables of its caller.
package cfg

import (
	"fmt"
	"os"
	"strings"
)

// WorkerName returns the name of the worker that this code runs in.
func WorkerName() string {
	return os.Getenv("GOLEM_WORKER_NAME")
}

// ComponentOneWorkerURI returns the URI of a worker of component-one.
func ComponentOneWorkerURI(workerName string) (string, error) {
	return workerURI("COMPONENT_ONE_ID", workerName)
}

// ComponentTwoWorkerURI returns the URI of a worker of component-two.
func ComponentTwoWorkerURI(workerName string) (string, error) {
	return workerURI("COMPONENT_TWO_ID", workerName)
}

// ComponentThreeWorkerURI returns the URI of a worker of component-three.
func ComponentThreeWorkerURI(workerName string) (string, error) {
	return workerURI("COMPONENT_THREE_ID", workerName)
}

func workerURI(variable, workerName string) (string, error) {
	id, err := componentID(variable)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("urn:worker:urn:uuid:%s/%s", id, workerName), nil
}

func componentID(variable string) (string, error) {
	value := os.Getenv(variable)
	if value == "" {
		return "", fmt.Errorf("missing environment variable for component id: %s", variable)
	}
	id, ok := uuid(value)
	if !ok {
		return "", fmt.Errorf("component id parse failed for %s=%s", variable, value)
	}
	return id, nil
}

// uuid returns the text form of a UUID in lower case, and whether it is one: 8-4-4-4-12 hexadecimal digits.
func uuid(text string) (string, bool) {
	text = strings.ToLower(strings.TrimSpace(text))
	groups := strings.Split(text, "-")
	lengths := []int{8, 4, 4, 4, 12}
	if len(groups) != len(lengths) {
		return "", false
	}
	for i, group := range groups {
		if len(group) != lengths[i] || strings.Trim(group, "0123456789abcdef") != "" {
			return "", false
		}
	}
	return text, true
}
