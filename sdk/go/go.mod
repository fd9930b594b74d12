module github.com/golem-workers/golem-go

go 1.24
