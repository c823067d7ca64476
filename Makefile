# Everything starts from a Debian 12 with git and make; what is missing is installed, as root.
VENV   := .venv
BIN    := $(VENV)/bin
SYSTEM := ca-certificates iproute2 iptables mmdebstrap openssh-client python3 python3-venv systemd-container
TESTS  := bash busybox-static dash fish gnupg openssh-server openssl procps tcsh zsh rsync
# One Python for the virtual environment: the system's, unless PYTHON names another.
PYTHON ?= python3

.PHONY: help install dev demo test unit lint bench clean system test-system

help:
	@echo "make install   .venv/bin/pymachine, from a normal install"
	@echo "make dev       the same, editable, with the tools of the developers"
	@echo "make demo      a machine, a container in it over TLS, and away again (KEEP=1 leaves the machine)"
	@echo "make test      all tests; real machines are made, so it wants root"
	@echo "make unit      the tests that need no machine"
	@echo "make lint      formatting, types, layers"
	@echo "make bench     how fast, each beside its limit (ARGS: --case NAME, --runs N, --json)"
	@echo "make clean     what the above left in this directory"

system:
	@tests/testbed/debian-packages.sh $(SYSTEM)

test-system:
	@tests/testbed/debian-packages.sh $(SYSTEM) $(TESTS)

# With the pip of today: the script that an older one writes imports `re`, a quarter of what `pymachine env` takes.
$(BIN)/python: | system
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip

# A wheel is built from a clean tree: build/ keeps files that were deleted.
install: system $(BIN)/python
	@rm -rf build *.egg-info
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check .
	@rm -rf build *.egg-info
	@echo "Installed: $(BIN)/pymachine"

dev: test-system $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'

demo: install
	@PATH="$(CURDIR)/$(BIN):$$PATH" KEEP="$(KEEP)" docs/demo.sh

test: test-system install
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check '.[dev]'
	@rm -rf build *.egg-info
	@$(BIN)/python -m pytest -m 'not e2e' -n auto --dist worksteal
	@$(BIN)/python -m pytest -m e2e

unit: test-system install
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check '.[dev]'
	@rm -rf build *.egg-info
	@$(BIN)/python -m pytest -m 'not e2e' -n auto --dist worksteal

lint: install
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check '.[dev]'
	@rm -rf build *.egg-info
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@PYTHONPATH=. $(BIN)/lint-imports

# Of a normal install, as users have it: no more start-up time than theirs, and no less.
bench: install
	@tests/testbed/debian-packages.sh e2fsprogs mount
	@$(BIN)/python -m benchmarks $(ARGS)

clean:
	@rm -rf $(VENV) .venv-peers build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
