package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// More do not make it faster.
const writers = 64

// template is one stored object of the first session, and what differs in its copies.
type template struct {
	key, value string
	// The number of the TaskManager, or 0.
	number int
	// The uids in it, its own and those of its owners.
	uids []string
	// One for each namespace, not for each session.
	perNamespace bool
}

// store is etcd.
type store struct {
	client *clientv3.Client
}

func newStore(endpoint string) (*store, error) {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, DialTimeout: 10 * time.Second})
	return &store{client}, err
}

func (s *store) close() { s.client.Close() }

func (s *store) read(ctx context.Context, key string) (string, error) {
	answer, err := s.client.Get(ctx, key)
	if err != nil {
		return "", err
	}
	if len(answer.Kvs) != 1 {
		return "", fmt.Errorf("etcd has no %s: does this Kubernetes version keep it elsewhere?", key)
	}
	return string(answer.Kvs[0].Value), nil
}

// makeTemplates makes the first session through the API server and reads what that stored.
func makeTemplates(ctx context.Context, a *api, s *store, want size) ([]template, error) {
	now := time.Now().UTC().Format(time.RFC3339)
	core, apps := "/api/v1/namespaces/"+namespaceName(0), "/apis/apps/v1/namespaces/"+namespaceName(0)
	in := "/" + namespaceName(0) + "/"
	var templates []template
	var failure error
	// After a failure nothing more is done.
	try := func(step func() error) {
		if failure == nil {
			failure = step()
		}
	}
	// make creates an object, sets its status, if there is one, and returns its uid.
	make := func(path, key, manager string, body object, statusBy string, status object, number int, owners ...string) (uid string) {
		try(func() (err error) {
			uid, err = a.create(ctx, path, manager, body)
			return err
		})
		if status != nil {
			name := body["metadata"].(object)["name"].(string)
			try(func() error { return a.setStatus(ctx, path+"/"+name, statusBy, status) })
		}
		try(func() error {
			value, err := s.read(ctx, key)
			templates = append(templates, template{key, value, number, append(owners, uid), strings.HasPrefix(key, "/registry/namespaces/")})
			return err
		})
		return uid
	}
	make("/api/v1/namespaces", "/registry/namespaces/"+namespaceName(0), flink, namespace(), "", nil, 0)
	deployment := make(apps+"/deployments", "/registry/deployments"+in+sessionName(0), flink, deployment(), controller, deploymentStatus(now), 0)
	replicaSetName := sessionName(0) + "-" + replicaSetHash(0)
	replicaSet := make(apps+"/replicasets", "/registry/replicasets"+in+replicaSetName, controller, replicaSet(deployment), controller, replicaSetStatus(), 0, deployment)
	make(core+"/services", "/registry/services/specs"+in+sessionName(0), flink, headlessService(deployment), "", nil, 0, deployment)
	make(core+"/services", "/registry/services/specs"+in+sessionName(0)+"-rest", flink, restService(deployment), "", nil, 0, deployment)
	make(core+"/pods", "/registry/pods"+in+jobManagerName(0), controller, jobManagerPod(replicaSet), kubelet, podStatus(0, now), 0, replicaSet)
	// One for each length of their names.
	for n := 1; n <= want.taskManagers; n *= 10 {
		make(core+"/pods", "/registry/pods"+in+taskManagerName(0, n), flink, taskManagerPod(n, deployment), kubelet, podStatus(n, now), n, deployment)
	}
	// The API server made it with the Service. It would make one for each copy, and an event that says so.
	try(func() error {
		var address stored
		if err := a.send(ctx, "GET", "/apis/networking.k8s.io/v1/ipaddresses/"+serviceAddress(0), asJSON, asJSON, nil, &address); err != nil {
			return err
		}
		key := "/registry/ipaddresses/" + serviceAddress(0)
		value, err := s.read(ctx, key)
		// First, so that it is there when the API server meets the Service.
		templates = append([]template{{key: key, value: value, uids: []string{address.Metadata.UID}}}, templates...)
		return err
	})
	return templates, failure
}

// copies are all the objects but those of the first session that are there already.
func copies(templates []template, want size) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, t := range templates {
			count, last := want.sessions, t.number
			if t.perNamespace {
				count = want.namespaces
			}
			if t.number > 0 {
				last = min(10*t.number-1, want.taskManagers)
			}
			for s := range count {
				for n := t.number; n <= last; n++ {
					if s == 0 && n == t.number {
						continue
					}
					replacer := t.replacer(s, n, want)
					if !yield(replacer.Replace(t.key), replacer.Replace(t.value)) {
						return
					}
				}
			}
		}
	}
}

func (t template) replacer(s, n int, want size) *strings.Replacer {
	var pairs []string
	replace := func(old, new string) {
		if len(old) != len(new) {
			panic(fmt.Sprintf("%q and %q differ in length", old, new))
		}
		pairs = append(pairs, old, new)
	}
	replace(namespaceName(0), namespaceName(s%want.namespaces))
	replace(sessionName(0), want.name(s))
	replace(replicaSetHash(0), replicaSetHash(s))
	replace(podSuffix(0), podSuffix(s))
	replace(serviceAddress(0), serviceAddress(s))
	replace(podAddress(0, t.number), podAddress(s, n))
	replace(nodeName(0, t.number), nodeName(s, n))
	replace(containerID(0, t.number), containerID(s, n))
	if t.number > 0 {
		replace(taskManagerNumber(t.number), taskManagerNumber(n))
	}
	for i, uid := range t.uids {
		// Its own uid is the last one. The rest of it tells the kinds apart.
		number := n
		if i < len(t.uids)-1 {
			number = 0
		}
		replace(uid, fmt.Sprintf("%08x-%04x", s, number)+uid[13:])
	}
	return strings.NewReplacer(pairs...)
}

// write puts the objects, many at a time and in about this order. Each has a transaction of its own: two objects
// never share a revision in Kubernetes, and a watch that starts again at a shared one misses the second.
func (s *store) write(ctx context.Context, objects iter.Seq2[string, string]) (int, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type entry struct{ key, value string }
	entries := make(chan entry, writers)
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for entry := range entries {
				if _, err := s.client.Put(ctx, entry.key, entry.value); err != nil {
					cancel(err)
				}
			}
		})
	}
	written := 0
	for key, value := range objects {
		if ctx.Err() != nil {
			break
		}
		entries <- entry{key, value}
		written++
	}
	close(entries)
	group.Wait()
	return written, context.Cause(ctx)
}

// mustBeEmpty: a second load would mix with what the first one left.
func (s *store) mustBeEmpty(ctx context.Context) error {
	answer, err := s.client.Get(ctx, "/registry/namespaces/team-", clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err == nil && answer.Count > 0 {
		err = errors.New("there are sessions already: take a fresh control plane")
	}
	return err
}

// count says whether there are exactly as many as asked for.
func (s *store) count(ctx context.Context, want size) error {
	for kind, expected := range map[string]int{
		"namespaces": want.namespaces, "deployments": want.sessions, "replicasets": want.sessions,
		"services/specs": 2 * want.sessions, "pods": want.pods(),
	} {
		answer, err := s.client.Get(ctx, "/registry/"+kind+"/team-", clientv3.WithPrefix(), clientv3.WithCountOnly())
		if err != nil {
			return err
		}
		if answer.Count != int64(expected) {
			return fmt.Errorf("there are %d %s instead of %d", answer.Count, kind, expected)
		}
	}
	return nil
}
