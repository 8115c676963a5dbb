# The two commands that a newcomer needs are `make demo` and `make test`; both set up what they need first.
PYTHON ?= python3
# Test files at once: much of their time is spent waiting for processes to start.
AT_ONCE ?= 2

.PHONY: help setup demo test lint audit format
help:
	@echo "make demo     set up, then run everything on a few videos   (VIDEOS=DIR PORTRAIT=FILE for your own)"
	@echo "make test     set up, then run the tests                    (ARGS='-k crop' to choose)"
	@echo "make lint     set up, then check style, format and types"
	@echo "make audit    set up, then ask whether a locked package has a known vulnerability"
	@echo "make format   put the code into the project's format"
	@echo "make setup    make .venv from uv.lock"

setup:
	@PYTHON="$(PYTHON)" infra/setup.sh

demo: setup
	@.venv/bin/liax demo $(if $(VIDEOS),--videos "$(VIDEOS)") $(if $(PORTRAIT),--portrait "$(PORTRAIT)") $(ARGS)

test: setup
	@.venv/bin/python -m pytest -n $(AT_ONCE) --dist loadfile $(ARGS)

lint: setup
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

audit: setup
	@infra/audit.sh $(ARGS)

format: setup
	.venv/bin/ruff check --fix
	.venv/bin/ruff format
