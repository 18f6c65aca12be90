module wasmlet.dev/guests/go-server

go 1.24
