# Two commands do everything a newcomer needs: `make demo` and `make test`.
# Both create .venv with the first of Python 3.11, 3.12, 3.13 found, or with PYTHON=/path/to/python.

BIN := .venv/bin
export PYTHON

.PHONY: help demo test check format clean

help:
	@echo "make demo    install the core, and release a real health table with differential privacy"
	@echo "make test    install the tools, and run every check and test"
	@echo "make check   the checks without the tests"
	@echo "make format  let ruff rewrite the code"
	@echo "make clean   remove .venv and caches; never a ledger or a release"

demo:
	@tools/install.sh demo
	@$(BIN)/dpsynth demo

test: check
	@echo "==> pytest"
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadgroup

check:
	@tools/install.sh dev
	@echo "==> ruff check"
	@$(BIN)/ruff check .
	@echo "==> ruff format --check"
	@$(BIN)/ruff format --check .
	@echo "==> mypy --strict"
	@$(BIN)/mypy
	@echo "==> lint-imports"
	@$(BIN)/lint-imports

format:
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.*
