#!/bin/bash
# What Flink's Kubernetes client asks of an image: run the words as they come.
# Flink 1.12 puts "native-k8s" in front of them and means the rest as one shell command.
if [ "$1" = native-k8s ]; then
  shift
  exec bash -c "$*"
fi
exec "$@"
