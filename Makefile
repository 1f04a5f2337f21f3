# Everything starts here. `make demo` shows Ringway, `make test` is what CI runs. Both install what they need and say so.

.PHONY: demo test bench build setup-demo setup-test setup-bench fmt lint clean help

CARGO ?= cargo

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: setup-demo build ## three nodes and the shop on this machine; Ctrl-C stops them
	@scripts/demo

build: ## build the binary: target/debug/ringway
	$(CARGO) build --locked -p ringway

test: setup-test ## everything that CI runs
	@scripts/test

bench: setup-bench ## Ringway beside nginx, HAProxy, Varnish, redis-server, memcached and others, and the ring
	$(CARGO) build --release --locked -p ringway -p ringway-loadgen
	@python3 bench/run.py
	@python3 bench/front.py
	@python3 bench/kv.py
	@python3 bench/ring.py

setup-demo:
	@scripts/setup demo
setup-test:
	@scripts/setup test
setup-bench:
	@scripts/setup bench

fmt: ## format the code
	$(CARGO) fmt --all
lint: ## clippy, warnings are errors
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
clean: ## forget builds and demo data
	$(CARGO) clean
	rm -rf .ringway
