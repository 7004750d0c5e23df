# SPDX-License-Identifier: Apache-2.0
# Each target makes what it needs: Python 3.11 or later and a C compiler are enough. All paths are relative,
# so that the folder may have any name. Python code is installed in place; only C is built anew when it changes.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check
NATIVE := pyproject.toml $(shell find native -name '*.c' -o -name '*.h' -o -name CMakeLists.txt)

.PHONY: demo test lint bench native-test clean

demo: .venv/labelkit
	rm -rf demo
	$(BIN)/labelkit keygen demo/keys --organisation "labelkit demo"
	$(BIN)/labelkit embed samples -o demo/labelled --producer labelkit-demo --signer demo/keys/signer.pem
	$(BIN)/labelkit verify demo/labelled --trust demo/keys/anchors.pem --require explicit,watermark,metadata,provenance
	$(BIN)/python -m labelkit.cli.render samples demo/labelled demo/index.html --trust demo/keys/anchors.pem

test: .venv/test
	$(BIN)/python -m pytest -q

lint: .venv/lint
	$(BIN)/ruff check labelkit tests benchmarks samples

bench: .venv/bench
	$(BIN)/python -m pytest -q benchmarks

native-test: .venv/native
	$(BIN)/cmake -S native -B build/native-test -DLK_TESTS=ON
	$(BIN)/cmake --build build/native-test
	$(BIN)/ctest --test-dir build/native-test --output-on-failure

clean:
	rm -rf .venv build demo dist .pytest_cache .benchmarks .hypothesis .ruff_cache

.venv/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is wanted; give another: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) "pip>=23.2"
	touch $@

.venv/labelkit: .venv/python $(NATIVE)
	$(PIP) -e ".[video]"
	touch $@

.venv/test .venv/bench: .venv/python $(NATIVE)
	$(PIP) -e ".[$(notdir $@)]"
	touch $@ .venv/labelkit

.venv/lint: .venv/python
	$(PIP) "ruff>=0.9"
	touch $@

.venv/native: .venv/python
	$(PIP) "cmake>=3.24"
	touch $@
