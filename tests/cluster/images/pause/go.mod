module kubectl-flink/cluster/pause

go 1.21
