// Command load fills a bare control plane with Flink sessions, thousands of objects a second.
//
// It makes one session through the API server, so that every object is checked, defaulted and has the managed
// fields of a real one. Then it reads what was stored and writes the copies straight into etcd, with each name,
// uid and address replaced by one of the same length, which leaves the lengths inside the stored form right.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// What a load may ask for at most. The names have that many digits, and one machine has that much memory.
const (
	maxSessions     = 10_000
	maxNamespaces   = 10_000
	maxTaskManagers = 999
	maxPods         = 200_000
	patience        = 10 * time.Minute
)

type size struct {
	sessions, namespaces, taskManagers int
	// Every session has the same name, each in a namespace of its own.
	oneName bool
}

func (s size) pods() int { return s.sessions * (1 + s.taskManagers) }

func (s size) name(session int) string {
	if s.oneName {
		return sessionName(0)
	}
	return sessionName(session)
}

func main() {
	var want size
	flag.IntVar(&want.sessions, "sessions", 100, "sessions, each with one JobManager")
	flag.IntVar(&want.namespaces, "namespaces", 50, "namespaces that the sessions are spread over")
	flag.IntVar(&want.taskManagers, "taskmanagers", 9, "TaskManagers of each session")
	flag.BoolVar(&want.oneName, "one-name", false, "all sessions have the same name, each in a namespace of its own")
	server := flag.String("server", "", "the API server's URL, on 127.0.0.1")
	etcd := flag.String("etcd", "", "etcd's URL, on 127.0.0.1")
	keys := flag.String("keys", "", "directory with ca.crt, admin.crt and admin.key")
	flag.Parse()
	if err := check(want, *server, *etcd, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := load(ctx, want, *server, *etcd, *keys); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func check(want size, server, etcd string, rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("%q is no flag", rest[0])
	case !strings.HasPrefix(server, "https://127.0.0.1:") || !strings.HasPrefix(etcd, "http://127.0.0.1:"):
		return fmt.Errorf("-server and -etcd are needed, and only on 127.0.0.1: 'control-plane load NAME' gives them")
	case want.sessions < 1 || want.sessions > maxSessions:
		return fmt.Errorf("-sessions is from 1 to %d", maxSessions)
	case want.namespaces < 1 || want.namespaces > min(maxNamespaces, want.sessions):
		return fmt.Errorf("-namespaces is from 1 to %d, and at most as many as sessions", maxNamespaces)
	case want.oneName && want.namespaces != want.sessions:
		return fmt.Errorf("-one-name needs as many namespaces as sessions")
	case want.taskManagers < 0 || want.taskManagers > maxTaskManagers:
		return fmt.Errorf("-taskmanagers is from 0 to %d", maxTaskManagers)
	case want.pods() > maxPods:
		return fmt.Errorf("these are %d pods, more than %d", want.pods(), maxPods)
	}
	return nil
}

func load(ctx context.Context, want size, server, etcd, keys string) error {
	began := time.Now()
	api, err := newAPI(server, keys)
	if err != nil {
		return err
	}
	store, err := newStore(etcd)
	if err != nil {
		return err
	}
	defer store.close()
	if err := store.mustBeEmpty(ctx); err != nil {
		return err
	}
	templates, err := makeTemplates(ctx, api, store, want)
	if err != nil {
		return err
	}
	written, err := store.write(ctx, copies(templates, want))
	if err != nil {
		return err
	}
	if err := store.count(ctx, want); err != nil {
		return err
	}
	if err := api.check(ctx, want); err != nil {
		return err
	}
	fmt.Printf("%d sessions in %d namespaces: %d Deployments, %d Services, %d pods; %d objects written in %.1f s\n",
		want.sessions, want.namespaces, want.sessions, 2*want.sessions, want.pods(), written, time.Since(began).Seconds())
	return nil
}
