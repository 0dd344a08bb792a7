# weir. What takes more than a line is Go: internal/check.

BUF   := go tool -modfile=internal/tools.mod buf
BUILD := CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o bin/
UNITS  = $(shell go list ./... | grep -v /test/)
CHECK := go run ./internal/check

run: build ## weir on this machine: what it executes, connects to, listens on (as root)
	bin/weir up --data weir-data

build: ## bin/weir, bin/weir-collector, bin/weir-enrich: static, stripped, with Go alone
	$(BUILD) ./cmd/...

test: setup check ## everything: checks, units, this kernel, a real Kafka, a real OpenSearch (as root)
	go test -race -timeout 30m $(UNITS)
	go test -run '^$$' -bench . -benchtime 1x $(UNITS)
	go test -count=1 -timeout 25m -skip '^TestHooksHold' ./test/...

check: setup ## format, vet, staticcheck, dead code, import arrows, contract, freshness of what is generated
	$(CHECK)

generate: setup ## anew: Go of the contract, BPF objects, docs/events.md, docs/configuration.md
	$(BUF) generate
	go generate ./...

bench: setup ## what it costs to be watched, by weir and by others: one table, a quarter of an hour (as root)
	@mkdir -p .cache
	$(CHECK) setup peers
	go run ./test/cost --json .cache/cost.json

microbench: ## Go's benchmarks, six times, with a summary
	@mkdir -p .cache
	go test -run '^$$' -bench . -benchmem -count 6 $(UNITS) | tee .cache/bench.txt
	go tool benchstat .cache/bench.txt

fuzz: ## every fuzz target for 30 s
	$(CHECK) fuzz

setup: # installs by apt what checks and tests need and this machine lacks; building needs none of it
	@$(CHECK) setup

kernels: setup ## every test of the hooks on other kernels in QEMU, 5.10 to the newest; docs/kernels.md anew
	go test -count=1 -timeout 60m -v ./test/kernel -all -update

clean: ## what make made; weir-data stays
	rm -rf bin .cache

help: ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/\1|\2/p' Makefile | column -t -s '|'

.PHONY: run build test check generate bench microbench fuzz kernels setup clean help
