GO ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
SERVERS := $(GO) run ./sources/sourcetest/withservers
REPORT := $(GO) run ./sources/sourcetest/testreport
# SQLite's engine is C made into Go and takes ten times as long under the race
# detector; it alone is built without, all that calls it with.
RACE := -race -gcflags=modernc.org/sqlite/lib=-race=false

.DEFAULT_GOAL := help
.PHONY: help assets build demo test soak lint bench ci

help: ## say what there is to make
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

assets: web/dist/app.js ## bundle the dashboard's script and style
web/dist/app.js: $(filter-out web/assets/node_modules,$(wildcard web/assets/*))
	cd web/assets && npm ci --include=dev --ignore-scripts --no-audit --no-fund --loglevel=error && npm run --silent build

build: assets ## build the binary into bin/plumbline
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/plumbline ./cmd/plumbline

demo: build ## watch a shop whose copies drift
	bin/plumbline demo

test: assets ## run every test against real stores, with the race detector
	$(SERVERS) -- sh -c '$(GO) test $(RACE) -p 3 -timeout 25m -json ./... | $(REPORT)'

soak: build ## run the long counts: large datasets, long writers, many seeds
	$(SERVERS) -- sh -c 'PLUMBLINE_SOAK=1 $(GO) test -timeout 80m -json -run Soak ./... | $(REPORT)'

lint: assets ## check format, vet and staticcheck
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not gofmt-ed:"; echo "$$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

bench: build ## measure against the stores' own speed, in turn in one run
	$(SERVERS) -only postgres,mongodb,mysql -- $(GO) run ./bench

ci: lint test build ## what must pass before a change lands
