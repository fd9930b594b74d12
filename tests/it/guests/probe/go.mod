module it/probe

go 1.24
