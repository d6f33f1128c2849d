package main

import (
	"crypto/sha256"
	"fmt"
	"strings"
)

// The first session, as Flink 1.20 makes it. All that differs between sessions is a token of fixed length.

type object = map[string]any
type list = []any

const image = "flink:1.20.5"

func namespaceName(n int) string { return fmt.Sprintf("team-%04d", n) }
func sessionName(s int) string   { return fmt.Sprintf("flink-session-%04d", s) }

// taskManagerName has no leading zeros, as with Flink, so its length depends on the number.
func taskManagerName(s, n int) string { return sessionName(s) + "-" + taskManagerNumber(n) }
func taskManagerNumber(n int) string  { return fmt.Sprintf("taskmanager-1-%d", n) }

// word is made of what Kubernetes makes its suffixes of, and always the same for the same seed.
func word(seed string, length int) string {
	const letters = "bcdfghjklmnpqrstvwxz2456789"
	var text strings.Builder
	sum := sha256.Sum256([]byte(seed))
	for _, b := range sum[:length] {
		text.WriteByte(letters[int(b)%len(letters)])
	}
	return text.String()
}

func replicaSetHash(s int) string { return word(fmt.Sprint("replicaset ", s), 10) }
func podSuffix(s int) string      { return word(fmt.Sprint("pod ", s), 5) }
func jobManagerName(s int) string {
	return sessionName(s) + "-" + replicaSetHash(s) + "-" + podSuffix(s)
}

// Three digits in the last parts of addresses, so that all have the same length.
func serviceAddress(s int) string { return fmt.Sprintf("10.97.%d.%d", 100+s/100, 100+s%100) }
func podAddress(s, n int) string {
	pod := s*(maxTaskManagers+1) + n
	return fmt.Sprintf("10.%d.%d.%d", 100+pod/22500%150, 100+pod/150%150, 100+pod%150)
}
func nodeNumber(s, n int) int  { return 100 + (s*31+n)%200 }
func nodeName(s, n int) string { return fmt.Sprintf("node-%d", nodeNumber(s, n)) }
func containerID(s, n int) string {
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, s, " ", n)))
}

func labels(s int) object {
	return object{"app": sessionName(s), "type": "flink-native-kubernetes"}
}

func component(s int, name string) object { return with(labels(s), object{"component": name}) }

func with(base, more object) object {
	for key, value := range more {
		base[key] = value
	}
	return base
}

func owner(version, kind, name, uid string) list {
	return list{object{"apiVersion": version, "kind": kind, "name": name, "uid": uid, "controller": true, "blockOwnerDeletion": true}}
}

func namespace() object {
	return object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": namespaceName(0)}}
}

func deployment() object {
	template := object{"metadata": object{"labels": component(0, "jobmanager"), "annotations": annotations()}, "spec": jobManagerSpec()}
	return object{"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": object{"name": sessionName(0), "labels": component(0, "jobmanager"), "annotations": object{"deployment.kubernetes.io/revision": "1"}},
		"spec":     object{"replicas": 1, "selector": object{"matchLabels": component(0, "jobmanager")}, "template": template},
	}
}

func deploymentStatus(now string) object {
	condition := func(kind, reason, message string) object {
		return object{"type": kind, "status": "True", "reason": reason, "message": message, "lastUpdateTime": now, "lastTransitionTime": now}
	}
	return object{"status": object{"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1, "conditions": list{
		condition("Available", "MinimumReplicasAvailable", "Deployment has minimum availability."),
		condition("Progressing", "NewReplicaSetAvailable", fmt.Sprintf("ReplicaSet %q has successfully progressed.", sessionName(0)+"-"+replicaSetHash(0))),
	}}}
}

func replicaSet(deploymentUID string) object {
	hashed := func() object { return with(component(0, "jobmanager"), object{"pod-template-hash": replicaSetHash(0)}) }
	return object{"apiVersion": "apps/v1", "kind": "ReplicaSet",
		"metadata": object{"name": sessionName(0) + "-" + replicaSetHash(0), "labels": hashed(),
			"annotations":     object{"deployment.kubernetes.io/desired-replicas": "1", "deployment.kubernetes.io/max-replicas": "2", "deployment.kubernetes.io/revision": "1"},
			"ownerReferences": owner("apps/v1", "Deployment", sessionName(0), deploymentUID)},
		"spec": object{"replicas": 1, "selector": object{"matchLabels": hashed()},
			"template": object{"metadata": object{"labels": hashed(), "annotations": annotations()}, "spec": jobManagerSpec()}},
	}
}

func replicaSetStatus() object {
	return object{"status": object{"replicas": 1, "fullyLabeledReplicas": 1, "readyReplicas": 1, "availableReplicas": 1, "observedGeneration": 1}}
}

func headlessService(deploymentUID string) object {
	return service(sessionName(0), deploymentUID, object{"clusterIP": "None", "ports": list{
		object{"name": "jobmanager-rpc", "port": 6123, "protocol": "TCP", "targetPort": 6123},
		object{"name": "blobserver", "port": 6124, "protocol": "TCP", "targetPort": 6124}}})
}

func restService(deploymentUID string) object {
	return service(sessionName(0)+"-rest", deploymentUID, object{"type": "ClusterIP", "clusterIP": serviceAddress(0), "ports": list{
		object{"name": "rest", "port": 8081, "protocol": "TCP", "targetPort": 8081}}})
}

func service(name, deploymentUID string, spec object) object {
	return object{"apiVersion": "v1", "kind": "Service",
		"metadata": object{"name": name, "labels": labels(0), "ownerReferences": owner("apps/v1", "Deployment", sessionName(0), deploymentUID)},
		"spec":     with(spec, object{"selector": component(0, "jobmanager")})}
}

func annotations() object {
	return object{"prometheus.io/scrape": "true", "prometheus.io/port": "9249"}
}

func jobManagerPod(replicaSetUID string) object {
	return object{"apiVersion": "v1", "kind": "Pod",
		"metadata": object{"name": jobManagerName(0), "generateName": sessionName(0) + "-" + replicaSetHash(0) + "-", "annotations": annotations(),
			"labels":          with(component(0, "jobmanager"), object{"pod-template-hash": replicaSetHash(0)}),
			"ownerReferences": owner("apps/v1", "ReplicaSet", sessionName(0)+"-"+replicaSetHash(0), replicaSetUID)},
		"spec": with(jobManagerSpec(), placed(0))}
}

func taskManagerPod(n int, deploymentUID string) object {
	env := list{
		object{"name": "FLINK_TM_JVM_MEM_OPTS", "value": "-Xmx536870902 -Xms536870902 -XX:MaxDirectMemorySize=268435458 -XX:MaxMetaspaceSize=268435456"},
		object{"name": "_POD_NODE_ID", "valueFrom": field("spec.nodeName")}}
	args := "kubernetes-taskmanager.sh -Djobmanager.memory.off-heap.size='134217728b' -Dblob.server.port='6124'" +
		" -Dtaskmanager.resource-id='" + taskManagerName(0, n) + "' -Djobmanager.memory.jvm-overhead.min='201326592b'" +
		" -Djobmanager.memory.jvm-metaspace.size='268435456b' -Djobmanager.memory.heap.size='1073741824b'" +
		" -Djobmanager.memory.jvm-overhead.max='201326592b' -Djobmanager.rpc.port='6123'" +
		" -Djobmanager.rpc.address='" + sessionName(0) + "." + namespaceName(0) + "' -Drest.address='" + sessionName(0) + "-rest." + namespaceName(0) + "'" +
		" -Dweb.tmpdir='/tmp/flink-web-8c1e5ad4-9df1-4d2f-9d2e-6a0f2c1d7e55' -Dinternal.taskmanager.resource-id.metadata='" + nodeName(0, n) + "'" +
		" -D taskmanager.memory.network.min=134217730b -D taskmanager.cpu.cores=1.0 -D taskmanager.memory.task.off-heap.size=0b" +
		" -D taskmanager.memory.jvm-metaspace.size=268435456b -D external-resources=none -D taskmanager.memory.jvm-overhead.min=201326592b" +
		" -D taskmanager.memory.framework.off-heap.size=134217728b -D taskmanager.memory.network.max=134217730b" +
		" -D taskmanager.memory.framework.heap.size=134217728b -D taskmanager.memory.managed.size=536870920b" +
		" -D taskmanager.memory.task.heap.size=402653174b -D taskmanager.numberOfTaskSlots=1 -D taskmanager.memory.jvm-overhead.max=201326592b "
	spec := podSpec("1728Mi", args, env, list{port("taskmanager-rpc", 6122)})
	return object{"apiVersion": "v1", "kind": "Pod",
		"metadata": object{"name": taskManagerName(0, n), "labels": component(0, "taskmanager"), "annotations": annotations(),
			"ownerReferences": owner("apps/v1", "Deployment", sessionName(0), deploymentUID)},
		"spec": with(with(spec, placed(n)), object{"restartPolicy": "Never"})}
}

func jobManagerSpec() object {
	env := list{object{"name": "_POD_IP_ADDRESS", "valueFrom": field("status.podIP")}}
	args := "kubernetes-jobmanager.sh kubernetes-session -D jobmanager.memory.off-heap.size=134217728b -D jobmanager.memory.jvm-overhead.min=201326592b" +
		" -D jobmanager.memory.jvm-metaspace.size=268435456b -D jobmanager.memory.heap.size=1073741824b -D jobmanager.memory.jvm-overhead.max=201326592b "
	return podSpec("1600Mi", args, env, list{port("rest", 8081), port("jobmanager-rpc", 6123), port("blobserver", 6124)})
}

func podSpec(memory, args string, env, ports list) object {
	resources := func() object { return object{"cpu": "1", "memory": memory} }
	environment := append(list{
		object{"name": "ENABLE_BUILT_IN_PLUGINS", "value": "flink-s3-fs-hadoop-1.20.5.jar"},
		object{"name": "TZ", "value": "Etc/UTC"}}, env...)
	item := func(name string) object { return object{"key": name, "path": name} }
	return object{
		"serviceAccountName": "flink", "terminationGracePeriodSeconds": 30,
		"containers": list{object{
			"name": "flink-main-container", "image": image, "imagePullPolicy": "IfNotPresent",
			"command": list{"/docker-entrypoint.sh"}, "args": list{"bash", "-c", args}, "env": environment, "ports": ports,
			"resources":    object{"limits": resources(), "requests": resources()},
			"volumeMounts": list{object{"name": "flink-config-volume", "mountPath": "/opt/flink/conf"}},
		}},
		"volumes": list{object{"name": "flink-config-volume", "configMap": object{"name": "flink-config-" + sessionName(0), "defaultMode": 420,
			"items": list{item("logback-console.xml"), item("log4j-console.properties"), item("config.yaml")}}}},
	}
}

// placed is what admission and the scheduler add to a pod.
func placed(n int) object {
	token := "kube-api-access-" + podSuffix(0)
	toleration := func(key string) object {
		return object{"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
	}
	spec := podSpec("", "", nil, nil)
	return object{
		"nodeName":    nodeName(0, n),
		"tolerations": list{toleration("node.kubernetes.io/not-ready"), toleration("node.kubernetes.io/unreachable")},
		"volumes": append(spec["volumes"].(list), object{"name": token, "projected": object{"defaultMode": 420, "sources": list{
			object{"serviceAccountToken": object{"expirationSeconds": 3607, "path": "token"}},
			object{"configMap": object{"name": "kube-root-ca.crt", "items": list{object{"key": "ca.crt", "path": "ca.crt"}}}},
			object{"downwardAPI": object{"items": list{object{"path": "namespace", "fieldRef": object{"apiVersion": "v1", "fieldPath": "metadata.namespace"}}}}},
		}}}),
	}
}

func port(name string, number int) object {
	return object{"name": name, "containerPort": number, "protocol": "TCP"}
}

func field(path string) object {
	return object{"fieldRef": object{"apiVersion": "v1", "fieldPath": path}}
}

// podStatus is the kubelet's, of a pod that runs.
func podStatus(n int, now string) object {
	conditions := list{}
	for _, kind := range []string{"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"} {
		conditions = append(conditions, object{"type": kind, "status": "True", "lastProbeTime": nil, "lastTransitionTime": now})
	}
	const host = "192.0.2.100"
	return object{"status": object{
		"phase": "Running", "conditions": conditions, "startTime": now, "qosClass": "Guaranteed",
		"hostIP": host, "hostIPs": list{object{"ip": host}}, "podIP": podAddress(0, n), "podIPs": list{object{"ip": podAddress(0, n)}},
		"containerStatuses": list{object{
			"name": "flink-main-container", "image": "docker.io/library/" + image, "containerID": "containerd://" + containerID(0, n),
			"imageID": "docker.io/library/flink@sha256:" + containerID(-1, 0), "ready": true, "started": true, "restartCount": 0,
			"lastState": object{}, "state": object{"running": object{"startedAt": now}},
		}},
	}}
}
