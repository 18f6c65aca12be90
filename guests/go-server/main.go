// A Go guest: net/http over the listener that it is given, as a program would be written that knows nothing of wasmlet.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

func main() {
	directory, err := os.Getwd()
	fmt.Println("working directory", directory, err)
	if len(os.Args) > 1 {
		content, err := os.ReadFile(os.Args[1])
		fmt.Printf("%s %v\n", content, err)
	}
	listener, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	http.HandleFunc("/", func(writer http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		fmt.Fprintf(writer, "%s %s %d\n", request.Method, request.URL.Path, len(body))
	})
	fmt.Fprintln(os.Stderr, http.Serve(listener, nil))
	os.Exit(1)
}
