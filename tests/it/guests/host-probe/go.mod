module it/hostprobe

go 1.24
