# Isocenter. `make up` starts a hospital, `make test` tests it; both from a bare checkout.
MAKEFLAGS += --no-print-directory
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
ifeq ($(strip $(PYTHON)),)
$(error Isocenter needs Python 3.11 or newer, and there is none on the PATH)
endif
BOOTSTRAP = @$(PYTHON) pacs_site/up/bootstrap.py
export DETACH DEMO

.PHONY: up down check test prove

up:
	$(BOOTSTRAP) python -m pacs_site.up up

down:
	@test -x .venv/bin/python || { echo "Nothing was ever started here."; exit 0; }; \
	exec .venv/bin/python -m pacs_site.up down

check:
	$(BOOTSTRAP) --dev python tools/check.py

test:
	$(BOOTSTRAP) --dev python tools/test.py

prove:
	$(BOOTSTRAP) --dev python tools/test.py prove
