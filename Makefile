# Everything here needs Go, git, make and Python 3 with pip; MongoDB is found, or fetched once into the user's cache.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help build mongodb demo test soak nightly fuzz bench forecast lint golden docs e2e test-real cross clean

export GOFLAGS := $(shell scripts/goflags.sh)
PKG ?= ./...

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

build: ## build bin/geoshard
	go build -o bin/ ./cmd/...

mongodb: build ## find or fetch MongoDB
	bin/geoshard mongodb which --install

demo: build ## play the whole story on a cluster of its own (ARGS="--preset us-east-west" for the other one)
	bin/geoshard demo $(ARGS)

test: mongodb ## run all tests with the race detector (PKG=./wan for some)
	scripts/test.sh $(PKG)

soak: mongodb ## run the tests with their full counts; takes long
	GEOSHARD_SOAK=1 GEOSHARD_TEST_TIMEOUT=3h scripts/test.sh $(PKG)

nightly: mongodb ## run everything three times without repeats, and tell how often each test failed; quarantine for 30 days at most
	python3 scripts/testresults.py quarantine 30
	GEOSHARD_TIMES=3 scripts/test.sh $(PKG)

fuzz: ## fuzz every target for TIME (default 1m)
	scripts/fuzz.sh $(or $(TIME),1m)

bench: mongodb ## run the benchmarks
	go test -run '^$$' -bench . -benchmem -p 1 -timeout 1h $(PKG)

forecast: mongodb ## measure the consistency forecast on a real cluster; fails when more than one median in twenty is off
	GEOSHARD_SOAK=1 go test ./consistency -run '^$$' -bench Forecast -timeout 1h

lint: ## check formatting, vet, staticcheck, govulncheck
	scripts/lint.sh
	scripts/vulnerabilities.sh

golden: mongodb ## rewrite the expected outputs; read the difference before you commit it
	GEOSHARD_GOLDEN=rewrite go test -count=1 -p 1 ./internal/cli ./topology

docs: ## write docs/reference anew, from the commands' help and the schema
	GEOSHARD_GOLDEN=rewrite go test -count=1 -run TestReferenceIsUpToDate ./internal/cli ./cart/demo

e2e: mongodb ## run the whole-system suites; containers have to be there
	GEOSHARD_REQUIRE_CONTAINERS=1 scripts/test.sh ./e2e/...

test-real: mongodb ## run the suites against a real mongos: GEOSHARD_TEST_URI=mongodb://…
	@test -n "$${GEOSHARD_TEST_URI:-}" || { echo "set GEOSHARD_TEST_URI to the URI of a mongos of a cluster that may be written" >&2; exit 1; }
	scripts/test.sh $(PKG)

cross: ## compile for linux, darwin, windows on amd64 and arm64
	scripts/cross.sh

clean: ## remove what was built; the cache of MongoDB stays
	rm -rf bin dist
