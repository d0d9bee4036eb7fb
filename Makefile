# make        set up and build            make test   set up, build, run every test
# make demo   set up, build, run the whole loop on videos it generates
# make PRESET=asan test                   the same under another preset of CMakePresets.json
# make format   write the format of .clang-format
# make format-check                       list what is not in that format, and fail
# make tidy     run clang-tidy over what differs from the last release
# make tidy ALL=1                         over all; PATHS=src/distal/data: over these
# make asan     tests of what reads foreign bytes, under AddressSanitizer
# make fuzz SECONDS=60                    give each reader of foreign bytes (fuzz/) wrong ones for so long, others each time; SEED=1: the same
PRESET ?= release
JOBS   ?= $(shell nproc)
BUILD  := build/$(PRESET)
SECONDS ?= 60
SEED   ?= 0

.PHONY: all setup configure test demo format format-check tidy asan fuzz fuzz-configure clean
all: configure
	@cmake --build $(BUILD) --parallel $(JOBS)

setup:
	@bash cmake/setup.sh

configure: setup
	@test -f $(BUILD)/build.ninja || cmake --preset $(PRESET)

test: all
	@bash cmake/setup.sh test || echo "distal: not all that the tests want is there; what needs it is skipped" >&2
	@ctest --preset $(PRESET)

demo: configure
	@cmake --build $(BUILD) --parallel $(JOBS) --target distal
	@$(BUILD)/distal demo

format:
	@bash cmake/setup.sh style
	@bash cmake/format.sh

format-check:
	@bash cmake/setup.sh style
	@bash cmake/format.sh --check

tidy:
	@bash cmake/setup.sh tidy
	@cmake --preset tidy >/dev/null
	@cmake --build build/tidy --target distal_revision >/dev/null
	@python3 -B cmake/tidy.py build/tidy --jobs $(JOBS) $(if $(ALL),--all) $(PATHS)

fuzz-configure:
	@bash cmake/setup.sh fuzz
	@test -f build/fuzz/build.ninja || cmake --preset fuzz

asan: fuzz-configure
	@cmake --build build/fuzz --parallel $(JOBS) --target sanitized
	@ctest --preset fuzz

fuzz: fuzz-configure
	@cmake --build build/fuzz --parallel $(JOBS) --target fuzz
	@python3 -B fuzz/make_corpus.py build/fuzz/fuzz_seeds build/fuzz/seeds
	@python3 -B fuzz/run.py build/fuzz --seconds $(SECONDS) --jobs $(JOBS) --seed $(SEED)

clean:
	rm -rf build
