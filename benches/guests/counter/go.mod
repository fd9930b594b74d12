module bench/counter

go 1.24
