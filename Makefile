# make        set up and build            make test   set up, build, run every test
# make demo   set up, build, run the whole loop on videos it generates
# make PRESET=asan test                   the same under another preset of CMakePresets.json
PRESET ?= release
JOBS   ?= $(shell nproc)
BUILD  := build/$(PRESET)

.PHONY: all setup configure test demo clean
all: configure
	@cmake --build $(BUILD) --parallel $(JOBS)

setup:
	@bash cmake/setup.sh

configure: setup
	@test -f $(BUILD)/build.ninja || cmake --preset $(PRESET)

test: all
	@ctest --test-dir $(BUILD) --output-on-failure

demo: configure
	@cmake --build $(BUILD) --parallel $(JOBS) --target distal
	@$(BUILD)/distal demo

clean:
	rm -rf build
