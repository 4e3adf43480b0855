# Farebox: everything that can be done with this repository, from a fresh clone.
# Needs Python 3.11 or newer and the network for the first install, nothing else.

# The distribution's Python is preferred: it is built with profile-guided optimisation, and one built
# from source usually is not (measured on Debian 12: a third less CPU time for the same code).
PYTHON ?= $(shell for python in /usr/bin/python3 python3; do \
	$$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		&& echo $$python && exit; done; echo python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# How many processes run the tests.
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup test check model mutate-ledger simulate soak e2e-ledger e2e-kube e2e-images kube-tools demo proto prices lock bench bench-cap bench-routing bench-routing-live routing-weights bench-leases bench-etcd bench-kube clean

help: ## List these targets
	@echo "Farebox: make TARGET [VARIABLE=value ...]"
	@echo
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## Make .venv and install what requirements.lock pins (once)

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Farebox needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>/dev/null || echo not there)."; \
		echo "Install one, or name it: make $(or $(MAKECMDGOALS),setup) PYTHON=python3.11"; \
		exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "'$(PYTHON)' cannot make virtual environments: on Debian, apt install python3-venv"; \
		exit 1; }
	@echo "setup: making $(VENV) with $$($(PYTHON) -V)"
	@$(PYTHON) -m venv $(VENV)
	@echo "setup: installing $$(grep -c '^[a-z].*==' requirements.lock) pinned packages (about a minute)"
	$(BIN)/python -m pip install -q --progress-bar on --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@
	@echo "setup: done"

test: check ## Check everything and run all tests (WORKERS=2)
	@$(BIN)/pytest -n $(WORKERS) \
		&& echo "make test: passed (checks and tests)" \
		|| { echo "make test: FAILED, see the tests named above"; exit 1; }

check: $(INSTALLED) ## Lint, format, types, layers, wire, generated code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint
	$(BIN)/python -m tools.generate --check
	@echo "make check: passed"

model: $(INSTALLED) ## Look at every state of the small worlds (minutes, one core)
	@$(BIN)/python -m tests.model

mutate-ledger: $(INSTALLED) ## Is each of 15 seeded bugs found by the simulator? (SEEDS=600)
	@$(BIN)/python -m tests.mutation $(if $(SEEDS),--seeds $(SEEDS))

simulate: $(INSTALLED) ## Run seeds of the simulator on all cores (SEEDS=1000 FROM=0)
	@$(BIN)/python -m tests.simulation $(or $(SEEDS),1000) --from $(or $(FROM),0)

soak: $(INSTALLED) ## Run ever new seeds of the simulator until one fails (FROM=0)
	@$(BIN)/python -m tests.simulation 1000000000 --from $(or $(FROM),0) --until-failure

e2e-ledger: $(INSTALLED) etcd network ## Kill, stop and cut off real processes and etcd (15 minutes, root)
	@$(BIN)/pytest tests/e2e --ignore=tests/e2e/kube --ignore=tests/e2e/images -q -p no:randomly \
		&& echo "make e2e-ledger: passed" \
		|| { echo "make e2e-ledger: FAILED, see the tests named above"; exit 1; }

# The story of an installation mostly waits, so the other tests run beside it. It is shown at the end.
STORY := tests/e2e/kube/test_install.py
e2e-kube: $(INSTALLED) kube-tools network runc ## Run it all on a real Kubernetes API server (10 minutes, root)
	@mkdir -p build; \
		$(BIN)/pytest $(STORY) -q -p no:randomly >build/story.log 2>&1 & story=$$!; \
		echo "beside these runs the story of an installation: build/story.log"; \
		$(BIN)/pytest tests/e2e/kube --ignore=$(STORY) -q -p no:randomly; others=$$?; \
		wait $$story; told=$$?; cat build/story.log; \
		test $$others -eq 0 && test $$told -eq 0 \
		&& echo "make e2e-kube: passed" \
		|| { echo "make e2e-kube: FAILED, see the tests named above"; exit 1; }

e2e-images: $(INSTALLED) runc ## Make both images' files, twice, and run the programs in them (4 minutes, root)
	@[ "$$(id -u)" = 0 ] || { echo "Only root can start containers with runc: run this as root"; exit 1; }
	@$(BIN)/pytest tests/e2e/images -q -p no:randomly \
		&& echo "make e2e-images: passed" \
		|| { echo "make e2e-images: FAILED, see the tests named above"; exit 1; }

kube-tools: $(INSTALLED) ## Build kube-apiserver and what it needs, once (10 minutes)
	@$(BIN)/python -m tests.support.kube_tools

# Only the binary is wanted: what the package starts on its own is stopped again.
.PHONY: etcd
etcd:
	@command -v etcd >/dev/null || { \
		echo "installing Debian's etcd-server"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq etcd-server >/dev/null \
			&& { service etcd stop >/dev/null 2>&1; command -v etcd >/dev/null; }; } || { \
		echo "There is no etcd here and it could not be installed: as root, apt-get install etcd-server"; \
		exit 1; }

.PHONY: runc
runc:
	@command -v runc >/dev/null || { \
		echo "installing Debian's runc"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends runc >/dev/null \
			&& command -v runc >/dev/null; } || { \
		echo "There is no runc here and it could not be installed: as root, apt-get install runc"; \
		exit 1; }

# Each process gets a network namespace of its own; nothing is made or changed outside of them.
.PHONY: network
network:
	@[ "$$(id -u)" = 0 ] || { \
		echo "Only root can make network namespaces and drop packets between them: run this as root"; \
		exit 1; }
	@{ command -v ip && command -v iptables; } >/dev/null || { \
		echo "installing Debian's iproute2 and iptables"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq iproute2 iptables >/dev/null \
			&& { command -v ip && command -v iptables; } >/dev/null; } || { \
		echo "There is no ip or no iptables here and they could not be installed: apt-get install iproute2 iptables"; \
		exit 1; }
	@ip netns add farebox-make && ip netns delete farebox-make || { \
		echo "This machine makes no network namespaces, not even for root: run this outside of the container"; \
		exit 1; }

demo: $(INSTALLED) ## Run the demo; PROMPTS=file LIMIT=n choose other prompts
	@$(BIN)/python -m farebox.cli demo $(if $(PROMPTS),--prompts '$(PROMPTS)') $(if $(LIMIT),--limit $(LIMIT))

bench: $(INSTALLED) ## Compare no proxy, Envoy and the sidecar (ROUNDS=n REPORT=1)
	@$(BIN)/python -m bench.proxy $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(REPORT),--report)

bench-cap: $(INSTALLED) ## Try to break the cap with random runs and kills (SEEDS=n)
	@$(BIN)/python -m bench.cap $(if $(SEEDS),--seeds $(SEEDS))

bench-etcd: $(INSTALLED) etcd ## Measure the ledger in a real etcd against etcd's own rate
	@$(BIN)/python -m bench.etcd_store

bench-kube: $(INSTALLED) kube-tools ## Measure a controller at 10,000 pods (PODS=n POOLS=n REPORT=1)
	@$(BIN)/python -m bench.kube $(if $(PODS),--pods $(PODS)) $(if $(POOLS),--pools $(POOLS)) $(if $(SIDECARS),--sidecars $(SIDECARS)) $(if $(REPORT),--report)

bench-leases: $(INSTALLED) ## Compare ways to lend: talk, false denials, lost money (SEEDS=n)
	@$(BIN)/python -m bench.leases --real $(if $(SEEDS),--seeds $(SEEDS))

# The second part goes through real processes and takes two minutes; it runs whatever the first shows.
# With REPORT=1 a missed row of the first part, timings among them, is shown and decides nothing.
bench-routing: $(INSTALLED) ## Measure routing offline, then end to end (DATA=DIR REPORT=1)
	@$(BIN)/python -m bench.routing $(if $(DATA),--data '$(DATA)'); offline=$$?; \
		test $$offline -lt 2 || exit $$offline; \
		$(BIN)/python -m bench.routing_live $(if $(DATA),--data '$(DATA)') && exit $(if $(REPORT),0,$$offline)

bench-routing-live: $(INSTALLED) ## Measure hard budgets through real processes (DATA=DIR)
	@$(BIN)/python -m bench.routing_live $(if $(DATA),--data '$(DATA)')

routing-weights: $(INSTALLED) ## Train the routing weights anew (DATA=DIR)
	@$(BIN)/python -m tools.routing_weights '$(or $(DATA),../shared/data/routing)'

proto: $(INSTALLED) ## Regenerate farebox/wire/v1 from proto/
	$(BIN)/python -m tools.generate

prices: $(INSTALLED) ## Renew the built-in price table from genai-prices
	$(BIN)/python -m tools.prices

lock: $(INSTALLED) ## Renew requirements.lock from pyproject.toml
	$(BIN)/python -m pip install --disable-pip-version-check --quiet uv
	$(BIN)/uv pip compile pyproject.toml --upgrade --quiet --universal --python-version 3.11 \
		--all-extras --group dev --group bench --generate-hashes \
		--no-header --no-emit-index-url --output-file requirements.lock

clean: ## Remove .venv, caches and what was built
	rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
