# SPDX-License-Identifier: Apache-2.0
# Each target installs the Debian packages it lacks (removing nothing, asking nothing), builds, and runs.

.PHONY: help build demo check bench bench-remote soak fuzz format tidy clean
.DEFAULT_GOAL := help

DEPENDENCIES := @scripts/install_dependencies.sh
RUN := @python3 -u -m

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build the programs into build/release/bin
	$(DEPENDENCIES) build
	$(RUN) scripts.build periplex-machine periplex

demo: ## boot a stock Debian kernel on a controller, a disk, a keyboard and a tablet of ours
	$(DEPENDENCIES) build lab
	$(RUN) scripts.build periplex-machine periplex
	$(RUN) lab.demo

check: ## everything a change must pass: lint, unit tests, sanitizers, fuzz targets, whole guests
	$(DEPENDENCIES) build check lab
	$(RUN) scripts.check

bench: ## measure against QEMU's own devices; writes docs/benchmarks.md
	$(DEPENDENCIES) build lab bench
	$(RUN) scripts.build
	$(RUN) bench

bench-remote: ## the same for disks at a seat alone, beside USB/IP and usbredir: minutes
	$(DEPENDENCIES) build lab bench
	$(RUN) scripts.build
	$(RUN) bench remote

soak: ## hours: guests with full counts, thread sanitizer, longer fuzzing [FUZZ_SECONDS=600]
	$(DEPENDENCIES) build check lab
	$(RUN) scripts.soak

fuzz: ## hours: every fuzz target [FUZZ_SECONDS=3600 for each] [TARGETS="..."] [MERGE=1]
	$(DEPENDENCIES) build check
	$(RUN) scripts.fuzz $(if $(FUZZ_SECONDS),--seconds $(FUZZ_SECONDS)) $(if $(MERGE),--merge) $(TARGETS)

format: ## format the C++ code in place
	$(DEPENDENCIES) check
	@find src bench -name '*.[ch]pp' -print0 | xargs -0 clang-format-19 -i

tidy: ## clang-tidy over everything
	$(DEPENDENCIES) build tidy
	@cmake --preset tidy
	@cmake --build --preset tidy -- -k 0

clean: ## remove build/ (not the lab's cache of packages: python3 -m lab.cache --clear)
	@rm -rf build
