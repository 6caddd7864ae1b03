# Each target runs the set-up itself. Without `make`, run the commands of a target by hand.
PY := .venv/bin/python
# Each process of the tests would compile everything again if Python were told to cache no bytecode.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: run setup dev test test-all check bench bench-peers chaos needs conformance lock

run: setup
	.venv/bin/veche serve

setup:
	@python3 scripts/setup.py

dev:
	@python3 scripts/setup.py --dev

test: dev
	$(PY) scripts/test.py

test-all: dev
	$(PY) scripts/test.py --all

check: dev
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	.venv/bin/lint-imports --no-cache
	$(PY) -m pytest tests/unit tests/arch -n 2 --dist worksteal -m "not slow and not long" --hypothesis-profile=quick -p no:schemathesis

bench: dev
	$(PY) -m bench

bench-peers: dev
	$(PY) -m bench.beside

chaos: dev
	$(PY) -m tests.chaos.run --kills 30
	$(PY) -m tests.chaos.run --nodes 2 --faults 100

needs: dev
	$(PY) -m tests.mutants.needs

conformance: dev
	$(PY) -m tests.conformance.autobahn
ifdef PROTOCOLS
	$(PY) -m tests.conformance.socketio $(PROTOCOLS)
else
	@echo "To run the Socket.IO suites: make conformance PROTOCOLS=FOLDER. FOLDER contains engine.io-protocol/ and socket.io-protocol/."
endif

lock:
	@python3 scripts/setup.py --lock
