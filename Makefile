# Two commands for a newcomer: `make demo` and `make test`. Both set up .venv first, once.
PYTHON ?= python3
BIN := .venv/bin
export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false

.PHONY: demo test check format clean ui

demo: .venv/ready  ## build the embedded world's benchmark into builds/demo, and compare three methods in studies/demo
	$(BIN)/ppubench build flows/recipes/demo.toml --out builds/demo
	$(BIN)/ppubench study flows/recipes/demo_study.toml --out studies/demo

test: .venv/ready  ## run the tests
	$(BIN)/python -m pytest -n logical --dist loadfile --no-loadscope-reorder

check: .venv/ready  ## lint and type-check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: .venv/ready  ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

ui: .venv/ready  ## Prefect's own pages over the runs of builds; PORT=4200
	$(BIN)/python -m flows.runners.prefect_ui $(PORT)

clean:  ## remove what make made, but not builds
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .prefect

.venv/ready: pyproject.toml constraints.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ppubench needs Python 3.11 or newer, and $(PYTHON) is %d.%d; name another one: make PYTHON=python3.12" % sys.version_info[:2])'
	"$(PYTHON)" -m flows.commands.install
