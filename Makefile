# What CI runs, one target each. .ci/run runs the same commands in this order; tests/docs/test_commands.py compares them.
BIN := .venv/bin

.PHONY: install test ray slow lint types docs all
all: install test slow lint types docs

install: # the package, and everything to test, document and check it
	python3 -m venv .venv
	$(BIN)/pip install -q -r tests/requirements.txt

test: # minutes
	$(BIN)/pytest -n auto

ray: # the sweep's slow test runs on a Ray cluster
	$(BIN)/pip install -q -e '.[ray]'

slow: ray # learning runs and other long tests
	$(BIN)/pytest -n 2 -m slow

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types:
	$(BIN)/mypy

docs: # into site/
	$(BIN)/mkdocs build --strict
