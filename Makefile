# Every target is a line or two that you could type yourself.

# Where docker-compose.yml publishes its servers.
COMPOSE_ENV = \
	ETCD_ENDPOINTS=127.0.0.1:23791,127.0.0.1:23792,127.0.0.1:23793 \
	POSTGRES_DSN='postgres://postgres@127.0.0.1:54321/postgres?sslmode=disable' \
	MYSQL_DSN='root@tcp(127.0.0.1:33061)/test' \
	REDIS_ADDR=127.0.0.1:63791 \
	MONGODB_URI='mongodb://127.0.0.1:27117/?replicaSet=rs0' \
	REQUIRE_BACKENDS=1

TOOL = go tool -modfile=tools/go.mod

.PHONY: help test race lint fuzz bench torture soak up integration down demo
.DEFAULT_GOAL := help

help: ## show this list
	@sed -nE 's/^([a-z]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

test: ## run every test; needs nothing but Go
	go test ./...

race: ## the same under the race detector, in random order
	go test -race -shuffle=on -timeout=40m ./...

lint: ## vet, format check, linters, tidiness of go.mod (the first run compiles the linters)
	go vet ./...
	test -z "$$($(TOOL) gofumpt -l .)"
	$(TOOL) golangci-lint run
	go mod tidy -diff

fuzz: ## fuzz every target for 30 seconds each
	.ci/fuzz 30s

bench: ## measure lock and fence into docs/benchmarks.md (set REDIS_ADDR, POSTGRES_DSN, MYSQL_DSN); wants a quiet machine
	go run ./internal/cmd/bench -out docs/benchmarks.md

torture: ## try to make Holdfast lose an update, for more than half an hour, into docs/torture.md (PostgreSQL and MariaDB: see docs/development.md)
	go run ./internal/cmd/torture -out docs/torture.md

soak: ## every test in full size (HOLDFAST_SOAK), those of locks under the race detector too, then a long demo
	HOLDFAST_SOAK=1 go test -shuffle=on -count=1 -timeout=1h ./...
	HOLDFAST_SOAK=1 go test -race -shuffle=on -count=1 -timeout=1h -p=1 -run '^TestLock' ./integration_test/lock ./integration_test/lockedrepos
	HOLDFAST_SOAK=1 go test -tags=allshapes -run=Shapes -count=1 -timeout=1h ./integration_test/shapes
	go run ./examples/quickstart --workers 6 --ops 5000

up: ## start etcd, PostgreSQL, MySQL, Redis and MongoDB with docker compose
	docker compose up --detach --wait

integration: ## run the integration tests against the servers of `make up`
	$(COMPOSE_ENV) go test -count=1 ./integration_test/...

down: ## stop the servers of `make up` and drop their data
	docker compose down --volumes

demo: ## see updates lost without the lock, and none with it
	go run ./examples/quickstart
