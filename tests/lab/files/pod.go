// pod: the one program in the images that kubeadm wants but Debian has no binary for, and in the lab's own workload.
//
//	pod pause     the sandbox container: reap children, end on TERM; with -v (kubeadm's health-check job) end at once
//	pod coredns   stands in for CoreDNS: /health on :8080, /ready on :8181, no DNS
//	pod web       a workload: says its name on :8080, ends POD_GRACE (0s) after TERM
package main

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	mode := "web"
	if len(os.Args) > 1 {
		mode = os.Args[1]
	}
	if len(os.Args) > 2 && os.Args[2] == "-v" {
		fmt.Println("pod: rollbook lab")
		return
	}
	sig := make(chan os.Signal, 16)
	signal.Notify(sig, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	if mode != "pause" {
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { n, _ := os.Hostname(); fmt.Fprintln(w, "OK", n) })
		for _, a := range []string{":8080", ":8181"} {
			go func(a string) { fmt.Fprintln(os.Stderr, http.ListenAndServe(a, h)); os.Exit(1) }(a)
		}
	}
	for s := range sig {
		if s == syscall.SIGCHLD {
			for {
				if p, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); p <= 0 || err != nil {
					break
				}
			}
			continue
		}
		d, _ := time.ParseDuration(os.Getenv("POD_GRACE"))
		time.Sleep(d)
		return
	}
}
