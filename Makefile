# What one does with this checkout. `make` alone lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
TEST_TIMEOUT ?= 20m
FUZZTIME ?= 20s
GOLANGCI_LINT_VERSION := v2.15.0
golangci_lint := .cache/bin/golangci-lint-$(GOLANGCI_LINT_VERSION)

# Where goroutines and processes meet.
concurrent := ./internal/api/... ./internal/jobhandler/... ./internal/listen/... ./internal/pool/... ./internal/runner/... \
	./internal/store/... ./internal/supervisor/... ./internal/tool/... ./internal/upload/... ./internal/wake/... ./internal/web/...

# Everything is pure Go: no C compiler is asked for, and the tests share the build's cache.
export CGO_ENABLED := 0

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

.PHONY: build
build: ## build bin/orrery, one static program
	@command -v go >/dev/null || { echo "Go is not installed: see https://go.dev/doc/install" >&2; exit 1; }
	go build -buildvcs=false -ldflags "-X main.Version=$(VERSION)" -o bin/orrery ./cmd/orrery

.PHONY: client
client: ## fetch Galaxy's web client into client/
	@scripts/fetch-client

# The server takes the shell's place, so that Ctrl-C reaches it and make waits for its end.
.PHONY: run
run: build ## build, fetch the web client, and serve http://localhost:8080; Ctrl-C stops it
	@scripts/fetch-client --optional
	@exec ./bin/orrery run $(ARGS)

# Browsers and whole servers come last and by themselves: a page that draws itself slowly is clicked in the wrong place.
.PHONY: test
test: ## run all tests; they install what they need (PostgreSQL, Chromium, Python packages)
	@python3 -m pip --version >/dev/null 2>&1 || scripts/apt-install python3 python3-venv python3-pip
	@scripts/fetch-client
	go vet ./...
	go test -timeout $(TEST_TIMEOUT) $$(go list ./... | grep -v /test/)
	go test -p 1 -timeout $(TEST_TIMEOUT) ./test/...

.PHONY: test-short
test-short: ## run the tests that need no other programs
	go test -short ./...

.PHONY: test-race
test-race: ## run the concurrent packages' tests under the race detector (needs gcc)
	CGO_ENABLED=1 go test -race -timeout $(TEST_TIMEOUT) $(concurrent)

# FAULTS_SEED=… repeats a run; test/faults/doc.go says what else can be chosen.
.PHONY: test-faults
test-faults: ## run 5,000 jobs on 8 handlers that are killed, paused, cut off and replaced
	FAULTS_JOBS=$${FAULTS_JOBS:-5000} FAULTS_HANDLERS=$${FAULTS_HANDLERS:-8} FAULTS_USERS=$${FAULTS_USERS:-20} \
		FAULTS_SLURM_JOBS=$${FAULTS_SLURM_JOBS:-500} FAULTS_ENGINES=$${FAULTS_ENGINES:-postgresql} \
		go test -count=1 -timeout 120m -v -run TestFaults ./test/faults

.PHONY: compat
compat: ## check the database against Galaxy 26.1.2 itself, both ways (installs it: 1.5 GB, some minutes)
	go test -tags compat -count=1 -timeout 60m -v ./test/compat/...

.PHONY: lint
lint: $(golangci_lint) ## check the style with golangci-lint
	$(golangci_lint) run ./...

# `go install` puts the program into its own folder, so that an interrupted build leaves nothing under the final name.
$(golangci_lint):
	@mkdir -p .cache/bin
	GOBIN="$(CURDIR)/.cache/bin/new" go install -trimpath github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	@mv .cache/bin/new/golangci-lint $@ && rmdir .cache/bin/new

.PHONY: fmt
fmt: ## format the code
	gofmt -w bench cmd internal test

.PHONY: fuzz
fuzz: ## run every fuzz target for a short while (FUZZTIME=20s)
	@grep -rl --include='*_test.go' '^func Fuzz' cmd internal test | while read -r file; do \
		sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$file" | while read -r target; do \
			echo "$$(dirname "$$file") $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$file")" </dev/null; \
		done; \
	done

.PHONY: bench
bench: ## measure, and print tables
	bench/run
	bench/run claims
	bench/run listen
	bench/run restart

.PHONY: clean
clean: ## remove what make built and fetched; database/ stays
	rm -rf bin client .cache
