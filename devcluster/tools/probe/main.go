// Probe answers HTTP requests with a fixed text (`probe serve TEXT`, port 8080), or makes one request and prints what it was
// told (`probe get URL`). It ends with status 1 and a message when that fails.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		fail("usage: probe serve TEXT | probe get URL")
	}
	switch os.Args[1] {
	case "serve":
		go endWhenAsked()
		http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, os.Args[2]) })
		fail("%v", http.ListenAndServe(":8080", nil))
	case "get":
		get(os.Args[2])
	default:
		fail("no such command: %s", os.Args[1])
	}
}

// endWhenAsked is needed as process 1 of a container is not ended by signals that it has no handler for.
func endWhenAsked() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	<-signals
	os.Exit(0)
}

func get(url string) {
	client := http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get(url)
	if err != nil {
		fail("%v", err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(os.Stdout, answer.Body); err != nil {
		fail("%v", err)
	}
	if answer.StatusCode != http.StatusOK {
		fail("%s", answer.Status)
	}
}

func fail(format string, values ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
	os.Exit(1)
}
