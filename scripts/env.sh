# Sourced by the other scripts: finds the checkout and puts a usable Go on the PATH. Sets ROOT and GO_MINOR_MIN.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Go 1.24 is the first release with -buildmode=c-shared for wasip1 and //go:wasmexport.
GO_MINOR_MIN=24

say() { printf '%s\n' "$*" >&2; }

die() {
    say "error: $1"
    [ -n "${2:-}" ] && say "hint: $2"
    exit 1
}

# Whether the Go program $1 runs and is new enough.
go_is_usable() {
    local version minor
    # GOTOOLCHAIN=local: ask this very Go, and never fetch another one.
    version=$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null) || return 1
    version=${version#go1.}
    minor=${version%%[!0-9]*}
    [ -n "$minor" ] && [ "$minor" -ge "$GO_MINOR_MIN" ]
}

# A Go on the PATH is preferred; the one that scripts/setup fetched is the fallback.
if ! go_is_usable go && go_is_usable "$ROOT/.tools/go/bin/go"; then
    PATH="$ROOT/.tools/go/bin:$PATH"
    export PATH
fi
