# make        set up and build            make test   set up, build, run every test
# make demo   set up, build, run the whole loop on videos it generates
# make PRESET=asan test                   the same under another preset of CMakePresets.json
# make fuzz SECONDS=60                    give each reader of foreign bytes (fuzz/) wrong ones for so long, others each time; SEED=1: the same
PRESET ?= release
JOBS   ?= $(shell nproc)
BUILD  := build/$(PRESET)
SECONDS ?= 60
SEED   ?= 0

.PHONY: all setup configure test demo fuzz clean
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

fuzz:
	@bash cmake/setup.sh fuzz
	@test -f build/fuzz/build.ninja || cmake --preset fuzz
	@cmake --build build/fuzz --parallel $(JOBS) --target fuzz
	@python3 -B fuzz/make_corpus.py build/fuzz/fuzz_seeds build/fuzz/seeds
	@python3 -B fuzz/run.py build/fuzz --seconds $(SECONDS) --jobs $(JOBS) --seed $(SEED)

clean:
	rm -rf build
