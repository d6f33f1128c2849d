package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// Who writes what, as managed fields and `kubectl get --show-managed-fields` name them.
const (
	flink      = "fabric8-kubernetes-client"
	kubelet    = "kubelet"
	controller = "kube-controller-manager"
)

const (
	asJSON  = "application/json"
	asTable = "application/json;as=Table;v=v1;g=meta.k8s.io"
)

// api is the API server, asked as its administrator.
type api struct {
	server string
	client *http.Client
}

func newAPI(server, keys string) (*api, error) {
	authority, err := os.ReadFile(filepath.Join(keys, "ca.crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	certificate, err := tls.LoadX509KeyPair(filepath.Join(keys, "admin.crt"), filepath.Join(keys, "admin.key"))
	if err != nil {
		return nil, err
	}
	// No Proxy: one for the way out of the host must not be asked.
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{certificate}}}
	return &api{server, &http.Client{Timeout: time.Minute, Transport: transport}}, nil
}

// send sends body, if there is one, and reads the answer into a value.
func (a *api) send(ctx context.Context, method, path, contentType, accept string, body, into any) error {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, a.server+path, content)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("Accept", accept)
	response, err := a.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %d %s", method, path, response.StatusCode, answer)
	}
	return json.Unmarshal(answer, into)
}

type stored struct {
	Metadata struct{ UID string }
}

// create makes an object below path and returns its uid.
func (a *api) create(ctx context.Context, path, manager string, body object) (string, error) {
	var made stored
	err := a.send(ctx, "POST", path+"?fieldManager="+manager, asJSON, asJSON, body, &made)
	return made.Metadata.UID, err
}

func (a *api) setStatus(ctx context.Context, path, manager string, body object) error {
	var made stored
	return a.send(ctx, "PATCH", path+"/status?fieldManager="+manager, "application/merge-patch+json", asJSON, body, &made)
}

// check waits until the API server has read all that was written, and looks at every object as kubectl shows it.
func (a *api) check(ctx context.Context, want size) error {
	for _, kind := range []struct {
		path  string
		count int
		right map[string]string
	}{
		{"/apis/apps/v1/deployments", want.sessions, map[string]string{"Ready": "1/1"}},
		{"/api/v1/services", 2 * want.sessions, nil},
		{"/api/v1/pods", want.pods(), map[string]string{"Ready": "1/1", "Status": "Running"}},
	} {
		end := time.Now().Add(time.Minute)
		for {
			right, err := a.count(ctx, kind.path, kind.right)
			if err != nil {
				return err
			}
			if right == kind.count {
				break
			}
			if time.Now().After(end) {
				return fmt.Errorf("the API server shows %d instead of %d of %s that are as they should be", right, kind.count, kind.path)
			}
			time.Sleep(200 * time.Millisecond)
		}
	}
	return nil
}

// count counts the rows of kubectl's table of the sessions' objects that have these cells.
func (a *api) count(ctx context.Context, path string, cells map[string]string) (int, error) {
	var table struct {
		ColumnDefinitions []struct{ Name string }
		Rows              []struct{ Cells []any }
	}
	path += "?includeObject=None&labelSelector=type%3Dflink-native-kubernetes"
	if err := a.send(ctx, "GET", path, "", asTable, nil, &table); err != nil {
		return 0, err
	}
	count := 0
	for _, row := range table.Rows {
		right := 0
		for i, column := range table.ColumnDefinitions {
			if value, ok := cells[column.Name]; ok && row.Cells[i] == value {
				right++
			}
		}
		if right == len(cells) {
			count++
		}
	}
	return count, nil
}
