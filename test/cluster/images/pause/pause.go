// Command pause holds namespaces open and reaps orphaned processes: the sandbox container of each pod, and, started
// with "wait", the first process of a local cluster's node.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	if len(os.Args) > 1 && os.Args[1] == "wait" && !released() {
		os.Exit(1)
	}
	for received := range signals {
		if received != syscall.SIGCHLD {
			os.Exit(0)
		}
		reap()
	}
}

// released waits for one byte from whoever started us. The end of the input instead means that it died before it
// wrote down that we exist: nobody would ever stop us.
func released() bool {
	read, err := os.Stdin.Read(make([]byte, 1))
	return err == nil && read == 1
}

func reap() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if err != nil || pid <= 0 {
			return
		}
	}
}
