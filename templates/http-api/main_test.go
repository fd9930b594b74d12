package main

import (
	"context"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

func TestTasks(t *testing.T) {
	list := &tasks{all: []*task{}}
	handler := list.handler()
	for _, step := range []struct {
		method, path, body string
		status             int
		answer             string
	}{
		{"GET", "/tasks", "", 200, `[]`},
		{"POST", "/tasks", `{"title": "sleep"}`, 201, `{"id":1,"title":"sleep","done":false}`},
		{"POST", "/tasks", `{"title": "eat"}`, 201, `{"id":2,"title":"eat","done":false}`},
		{"POST", "/tasks", `{}`, 400, `the body must be {"title": "…"}`},
		{"PUT", "/tasks/1/done", "", 200, `{"id":1,"title":"sleep","done":true}`},
		{"PUT", "/tasks/3/done", "", 404, `404 page not found`},
		{"DELETE", "/tasks", "", 405, `Method Not Allowed`},
	} {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequest(step.method, step.path, strings.NewReader(step.body)))
		if got := strings.TrimSpace(recorder.Body.String()); recorder.Code != step.status || got != step.answer {
			t.Errorf("%s %s: %d %s", step.method, step.path, recorder.Code, got)
		}
	}
	if open, err := list.Open(context.Background()); !slices.Equal(open, []string{"eat"}) || err != nil {
		t.Error(open, err)
	}
}
