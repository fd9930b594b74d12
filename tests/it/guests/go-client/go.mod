module goclient

go 1.24

require github.com/golem-workers/golem-go v0.0.0

replace github.com/golem-workers/golem-go => ../../../../sdk/go
