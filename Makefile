# Everything that is done to this repository. It needs Python 3.11 or newer and make; the rest comes into .venv,
# and the programs of the local Kubernetes into the user's cache folder (localcluster/README.md).

PYTHON ?= python3
PYTEST_ARGS ?=
BENCH_ARGS ?=
LOCK_ARGS ?=
AUDIT_SERVICE ?= pypi
AUDIT_UNREACHABLE ?= fail

VENV := .venv
BIN := $(VENV)/bin
LOCKS := requirements/build.txt requirements/dev.txt
LOCKED := $(VENV)/.locked-$(shell cat $(LOCKS) | cksum | cut -d ' ' -f 1)
INSTALLED := $(VENV)/.installed
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
INSTALL_LOCK := $(PIP_INSTALL) --require-hashes
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --custom-compile-command 'make lock' $(LOCK_ARGS)

PROMTOOL_VERSION := $(shell sed -n 's|.*prometheus/prometheus \(v[^ ]*\).*|\1|p' hack/promtool/go.mod)
PROMTOOL := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/action-operator/promtool-$(PROMTOOL_VERSION)/promtool

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

.PHONY: help
help: ## list the targets (this)
	@echo 'make TARGET [VARIABLE=value]'
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

##### Setting up

.PHONY: venv
venv: $(INSTALLED) ## make .venv from the locks, with PYTHON (python3); again only when they change

# Made anew when what is locked changes, so that nothing stays that is no longer in it; also when its Python is gone.
$(LOCKED): $(shell test -x $(BIN)/python || echo missing-python)
	@command -v $(PYTHON) >/dev/null || \
	  { echo "error: there is no $(PYTHON); install Python 3.11 or newer, or name one: make venv PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $(PYTHON) is $$($(PYTHON) --version 2>&1), but Python 3.11 or newer is needed; name one: make venv PYTHON=python3.12" >&2; exit 1; }
	@echo "making $(VENV) with $$($(PYTHON) --version 2>&1): about a minute"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(INSTALL_LOCK) $(addprefix -r ,$(LOCKS))
	@touch $@

$(INSTALLED): $(LOCKED) pyproject.toml
	@$(PIP_INSTALL) --no-deps --no-index --no-build-isolation --editable .
	@$(call need_go)
	@touch $@

.PHONY: missing-python
missing-python:

# Go as a wheel, only where programs have to be built and there is no Go on PATH that is new enough.
define need_go
code=0; $(BIN)/python -c "$$NEED_GO" || code=$$?; \
case $$code in \
  0) ;; \
  3) echo 'Kubernetes has to be built, and there is no Go for it: installing it into $(VENV)'; \
     $(INSTALL_LOCK) -r requirements/go.txt ;; \
  *) exit $$code ;; \
esac
endef

define NEED_GO
import sys
from localcluster import binaries, gobuild, programs
from localcluster.errors import BuildFailed, LocalClusterError
from localcluster.progress import Lines
try:
    if binaries.find(programs.ALL, Lines())[1]:
        gobuild.find_go(Lines())
except BuildFailed:
    sys.exit(3)
except LocalClusterError as error:
    sys.exit(f"error: {error}")
endef
export NEED_GO

.PHONY: binaries
binaries: $(INSTALLED) ## get the programs of the local Kubernetes: 8 minutes the first time if built, then kept in the cache
	@$(call need_go)
	@$(BIN)/python -m localcluster build

.PHONY: helm
helm: $(INSTALLED) ## get Helm for the tests of the chart: 3 minutes the first time, then kept in the cache
	@$(BIN)/python -m localcluster helm >/dev/null

.PHONY: promtool
promtool: ## build promtool, with which alerts are tested: 4 minutes the first time, then kept in the cache
	cd hack/promtool && CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS= GOWORK=off go build -trimpath -buildvcs=false \
	  -tags remove_all_sd -ldflags '-s -w' -o '$(PROMTOOL)' github.com/prometheus/prometheus/cmd/promtool

##### Working on the code

.PHONY: generate
generate: $(INSTALLED) ## write the files that are made from code: crds/, catalog/, and the chart's
	$(BIN)/python hack/generate.py

.PHONY: format
format: $(INSTALLED) ## format the code and sort its imports
	$(BIN)/ruff check --select I --fix-only .
	$(BIN)/ruff format .

.PHONY: check
check: $(INSTALLED) ## format, lint, types, layers, generated files and tables: changes nothing, names all that fail
	@failed=; \
	run() { name=$$1; shift; echo "== $$name: $${*#$(BIN)/}"; "$$@" || failed="$$failed $$name"; }; \
	run format $(BIN)/ruff format --check .; \
	run lint $(BIN)/ruff check .; \
	run types $(BIN)/mypy; \
	run layers $(BIN)/lint-imports --no-logo; \
	run generated $(BIN)/python hack/generate.py --check; \
	run tables $(BIN)/python hack/doc_tables.py --check; \
	if [ -n "$$failed" ]; then echo "== make check: failed:$$failed"; exit 1; fi; \
	echo '== make check: all good'

# In an environment of its own: what these tools need is more than all the rest together.
CHART_TOOLS := .local/chart-tools
.PHONY: check-chart
check-chart: helm ## known faults in the manifests of the chart and in the Dockerfile: 300 MB of tools the first time
	@test -e $(CHART_TOOLS)/.installed || { echo "installing the tools into $(CHART_TOOLS): some minutes"; \
	  $(PYTHON) -m venv --clear $(CHART_TOOLS) && \
	  $(CHART_TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/chart.txt && \
	  touch $(CHART_TOOLS)/.installed; }
	$(CHART_TOOLS)/bin/hadolint Dockerfile
	"$$($(BIN)/python -m localcluster helm 2>/dev/null)" template action-operator charts/action-operator \
	  --namespace action-operator >$(CHART_TOOLS)/chart.yaml
	$(CHART_TOOLS)/bin/checkov --file $(CHART_TOOLS)/chart.yaml --config-file hack/checkov.yaml

# With what only the documentation needs; nothing else imports it.
.PHONY: docs
docs: $(INSTALLED) ## make the site of the documentation: build/site
	@$(INSTALL_LOCK) -r requirements/docs.txt
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

# A service that does not answer is an error (AUDIT_UNREACHABLE=skip: only told). AUDIT_SERVICE: pypi or osv.
.PHONY: check-supply-chain
check-supply-chain: $(INSTALLED) ## bill of materials (build/sbom.json), and known vulnerabilities of all that is locked
	@$(INSTALL_LOCK) -r requirements/supply-chain.txt
	$(BIN)/python hack/supply_chain.py --service $(AUDIT_SERVICE) --unreachable $(AUDIT_UNREACHABLE)

##### Testing. PYTEST_ARGS goes to pytest: make test-unit PYTEST_ARGS='-k backoff -x'

# With a third process for while two wait, and less of Go's garbage collection: a sixth of the API server's work.
.PHONY: test
test: check ## check, and all tests that can run here
	@$(MAKE) --no-print-directory binaries helm test-unit
	GOGC=400 $(BIN)/python -m pytest --numprocesses=3 --dist=loadfile --no-loadscope-reorder --ignore=tests/unit tests $(PYTEST_ARGS)

.PHONY: test-unit
test-unit: $(INSTALLED) ## the tests of pure code, side by side: a minute or two, no Kubernetes
	$(BIN)/python -m pytest --numprocesses=auto tests/unit $(PYTEST_ARGS)

.PHONY: test-long
test-long: $(INSTALLED) ## the random tests of pure code by many more lives, and all mutants: half an hour
	$(BIN)/python -m pytest --numprocesses=auto --hypothesis-profile=long tests/unit $(PYTEST_ARGS)

.PHONY: test-api
test-api: binaries helm ## the tests against a real API server
	$(BIN)/python -m pytest tests/api $(PYTEST_ARGS)

.PHONY: test-e2e
test-e2e: binaries helm ## the operator as a process of its own, against a full control plane
	$(BIN)/python -m pytest tests/e2e $(PYTEST_ARGS)

.PHONY: test-faults
test-faults: binaries ## the operator behind a proxy that fails it
	$(BIN)/python -m pytest tests/faults $(PYTEST_ARGS)

.PHONY: test-node
test-node: binaries ## the image and the operator as real pods on a real node: Linux, root, containerd
	$(BIN)/python -m localcluster build --real-node
	$(BIN)/python -m pytest tests/node $(PYTEST_ARGS)

# pytest-kind downloads kind of this version where none is on PATH.
.PHONY: test-kind
test-kind: binaries ## the end-to-end tests and those with real pods on kind: Docker
	KIND_VERSION=v0.33.0 PYTHONPATH=tests $(BIN)/python -m harness.cluster_kind $(PYTEST_ARGS)

.PHONY: faults-full
faults-full: binaries ## every write of every action type failed in every way: slow
	$(BIN)/python -m pytest tests/faults -m long $(PYTEST_ARGS)

.PHONY: bench
bench: binaries ## measure: slow, and best on an idle machine (BENCH_ARGS)
	$(BIN)/python -m bench $(BENCH_ARGS)

##### Trying it out

.PHONY: demo
demo: binaries ## a guided tour on a Kubernetes of its own
	$(BIN)/python hack/demo.py

.PHONY: up
up: binaries ## start a playground: local Kubernetes and the operator, until `make down`
	$(BIN)/python hack/playground.py up

.PHONY: down
down: $(INSTALLED) ## stop the playground
	$(BIN)/python hack/playground.py down

##### Housekeeping

# Keeps the versions that are locked, as far as pyproject.toml allows: LOCK_ARGS=--upgrade takes the newest.
.PHONY: lock
lock: $(INSTALLED) ## make the locks in requirements/ from pyproject.toml (LOCK_ARGS=--upgrade: newest versions)
	@$(INSTALL_LOCK) -r requirements/lock.txt
	$(LOCK) pyproject.toml --output-file requirements/run.txt
	$(LOCK) pyproject.toml --extra dev --constraint requirements/run.txt --output-file requirements/dev.txt
	$(LOCK) --group chart --no-annotate --output-file requirements/chart.txt
	$(LOCK) --group docs --constraint requirements/dev.txt --output-file requirements/docs.txt
	$(LOCK) --group supply-chain --constraint requirements/dev.txt --output-file requirements/supply-chain.txt
	$(LOCK) --group go --no-annotate --output-file requirements/go.txt
	$(LOCK) --group lock --no-annotate --output-file requirements/lock.txt
	$(BIN)/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['build-system']['requires'], sep='\n')" | \
	  $(LOCK) - --no-annotate --output-file requirements/build.txt

.PHONY: clean
clean: ## remove .venv and what tools left in the checkout; the programs in the user's cache stay
	rm -rf $(VENV) build dist *.egg-info .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
