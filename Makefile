# Everything a developer runs. One flag set for build, vet, lint and plain tests,
# so that the build cache serves all of them; only the race run differs.

export CGO_ENABLED ?= 0
GO      ?= go
LDFLAGS  = -s -w
FUZZTIME ?= 10s

.PHONY: all build demo test race lint accept soak fuzz bench clean

all: build

# Static, stripped binaries in bin/.
build:
	@mkdir -p bin
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./agent ./host ./simulator

# One chip-and-PIN payment through every part, then the ways it can go wrong.
demo: build
	@bin/simulator demo

# Needs only Go. With a C compiler the same tests run under the race detector.
test:
	@scripts/test.sh

lint:
	@scripts/lint.sh

# Real outside clients and engines, and the short crash sweeps. Installs what is
# missing and says so.
accept: build
	@scripts/accept.sh

# What is counted in hundreds or hours.
soak: build
	@scripts/soak.sh

# Each fuzz target for FUZZTIME.
fuzz:
	@FUZZTIME=$(FUZZTIME) scripts/fuzz.sh

# The codec beside moov's as ratios, each package, and echo hosts over TLS beside
# others (bench/).
bench:
	@scripts/bench.sh

clean:
	rm -rf bin
