# make demo: the whole chain from generation on; make test: the tests; make docs: the documentation. All make
# .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH ?= 2.13.0

.PHONY: demo test lint docs tutorial venv clean

demo: venv
	$(BIN)/darktrigger run configs/demo.yaml

# dcor compiles itself when it is first used; two test processes that do so at once can leave a cache with which every
# later import of it aborts.
test: venv
	$(BIN)/python -c "import dcor, numpy; dcor.distance_correlation_sqr(numpy.arange(9.0), numpy.arange(9.0))"
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" -n logical --dist loadfile --max-worker-restart 0

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: venv
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Executes the tutorial in place.
tutorial: venv
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python scripts/execute_tutorial.py

venv: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml scripts/install_torch.sh
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	sh scripts/install_torch.sh $(BIN)/python $(TORCH)
	$(BIN)/python -m pip install --quiet --editable '.[docs,test]'
	touch $@

clean:
	rm -rf $(VENV) out
