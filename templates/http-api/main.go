package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/golem-workers/golem-go/golemhttp"

	"go_module/internal/golem/api"
)

// task is one of the list.
type task struct {
	ID    int    `json:"id"`
	Title string `json:"title"`
	Done  bool   `json:"done"`
}

// tasks is the state of a worker. Each worker is a list of its own, and answers one request at a time: there is nothing to
// lock, and nothing to save.
type tasks struct {
	all []*task
}

// handler is an ordinary http.Handler: any router works.
func (t *tasks) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /tasks", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, t.all)
	})
	mux.HandleFunc("POST /tasks", t.add)
	mux.HandleFunc("PUT /tasks/{id}/done", t.done)
	return mux
}

func (t *tasks) add(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Title string `json:"title"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.Title == "" {
		http.Error(w, `the body must be {"title": "…"}`, http.StatusBadRequest)
		return
	}
	added := &task{ID: len(t.all) + 1, Title: body.Title}
	t.all = append(t.all, added)
	answer(w, http.StatusCreated, added)
}

func (t *tasks) done(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil || id < 1 || id > len(t.all) {
		http.NotFound(w, r)
		return
	}
	t.all[id-1].Done = true
	answer(w, http.StatusOK, t.all[id-1])
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A body that cannot be written has nobody who reads it.
	_ = json.NewEncoder(w).Encode(body)
}

// Open returns the tasks that are not done: the same state, for callers that are no browsers.
func (t *tasks) Open(context.Context) ([]string, error) {
	var titles []string
	for _, task := range t.all {
		if !task.Done {
			titles = append(titles, task.Title)
		}
	}
	return titles, nil
}

func init() {
	t := &tasks{all: []*task{}}
	golemhttp.Serve(t.handler())
	api.Export(t)
}

// main is never called: a component only answers calls of its exports.
func main() {}
