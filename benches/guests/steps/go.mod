module bench/steps

go 1.24
