# make            lists the targets
# Without CONTEXT the end-to-end targets start a test cluster of their own (tests/cluster: Linux, root) and
# remove it. CONTEXT=kind-kind takes that context of your kubeconfig instead; KEEP=1 leaves the cluster running.

# `test` runs its parts in this order, also under -j.
.NOTPARALLEL:
.PHONY: help build fmt lint unit formats krew e2e e2e-all compile reference picture test test-all dist demo demo-down bench bench-create bench-delete bench-lists bench-start bench-upload clean-cache

cluster := tests/cluster/cluster
with_cluster := tests/cluster/with-cluster
export ARCHIVES CONTEXT DOWNLOADS HOMEPAGE KEEP PLATFORMS PODS ROUNDS VERSION

# --exact counts for --skip too: no other test is left out with one of these.
everyday := --exact $(shell sed -n 's/^[a-z].*/--skip &/p' tests/e2e/long.txt)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build target/debug/kubectl-flink
	cargo build --locked

fmt: ## format the code
	cargo fmt

.PHONY: lint-rust lint-scripts lint-python lint-go lint-workflows lint-crates lint-windows lint-advisories

lint: lint-rust lint-scripts lint-python lint-go lint-workflows lint-crates lint-windows ## run every linter; warnings are errors

lint-rust: ## check the format and run clippy
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	cargo clippy --test '*' --locked -- -D warnings

# What each of them runs is in dev/lint.
lint-scripts lint-python lint-go lint-workflows lint-crates lint-windows lint-advisories:
	dev/lint $(@:lint-%=%)

# The tests wait for servers more than they compute.
unit: ## run every test that needs no cluster
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-8} cargo test --locked

formats: ## hold hostile settings against the parsers of Flink's releases
	tests/formats/with-flinks cargo test --locked --test formats

krew: ## build an archive as for a release, and let krew install, upgrade and remove it [PLATFORMS="linux/amd64"]
	tests/krew/with-krew cargo test --locked --test krew

# The tests are compiled first, so that a typing error does not cost the start of a cluster.
e2e: ## run the end-to-end tests of every day on a real cluster [CONTEXT=name] [KEEP=1]
	cargo test --locked --test e2e --no-run
	tests/e2e/shells/packages
	$(with_cluster) cargo test --locked --test e2e -- $(everyday)

e2e-all: ## run all end-to-end tests on a real cluster [CONTEXT=name] [KEEP=1]
	cargo test --locked --test e2e --no-run
	tests/e2e/shells/packages --all
	$(with_cluster) cargo test --locked --test e2e

reference: ## make docs/reference and docs/man of the commands' definitions
	MAKE_REFERENCE=1 cargo test --locked --test reference

picture: ## draw docs/terminal.svg of README.md
	dev/picture docs/terminal.svg

# In one step, while nothing else runs.
compile:
	cargo test --locked --lib --bins --test '*' --no-run

test: lint compile unit formats krew e2e ## lint, unit, formats, krew and e2e [CONTEXT=name] [KEEP=1]

test-all: export PLATFORMS := $(or $(PLATFORMS),linux/amd64 linux/arm64 windows/amd64)
test-all: lint compile unit formats krew e2e-all ## the same with every archive and all end-to-end tests

dist: ## build the archives of a release and what goes with them, in target/dist [PLATFORMS="linux/amd64"]
	dist/build $(PLATFORMS)
	dist/materials
	dist/complete
	dist/checksums plugin.yaml target/dist/kubectl-flink_v*

demo: ## create a session on a real cluster and look at it [CONTEXT=name]
	@dev/demo up

demo-down: ## remove all that the demo made [CONTEXT=name]
	@dev/demo down

bench: bench-start bench-create bench-delete bench-lists bench-upload ## all benchmarks

bench-create: ## time create against the manual way [CONTEXT=name] [ROUNDS=5] [VERSION=2.3.0]
	cargo build --release --locked
	CLUSTER=flink-bench VERSIONS="$${VERSION:-2.3.0}" $(with_cluster) dev/bench-create

bench-delete: ## time delete against kubectl delete [CONTEXT=name] [ROUNDS=5] [VERSION=2.3.0]
	cargo build --release --locked
	CLUSTER=flink-bench VERSIONS="$${VERSION:-2.3.0}" $(with_cluster) dev/bench-delete

bench-lists: ## time ls and status against kubectl and bare HTTP, on thousands of pods [PODS=10000] [ROUNDS=5]
	cargo build --release --locked
	dev/bench-lists

bench-start: ## time the start of the released program, and weigh its archive [ROUNDS=5]
	DIST=target/bench-start dist/build linux/amd64
	dev/bench-start target/bench-start/kubectl-flink_*_linux_amd64.tar.gz

bench-upload: ## time submit with a large jar against curl [CONTEXT=name] [ROUNDS=7] [VERSION=2.3.0]
	cargo build --release --locked
	CLUSTER=flink-bench VERSIONS="$${VERSION:-2.3.0}" $(with_cluster) dev/bench-upload

clean-cache: ## remove all that was built for test clusters; running clusters go on
	$(cluster) clean-cache
