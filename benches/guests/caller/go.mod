module bench/caller

go 1.24
