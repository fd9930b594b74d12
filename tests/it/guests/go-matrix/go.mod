module gomatrix

go 1.24
