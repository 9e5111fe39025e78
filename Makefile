# The targets of an earlier system, for whoever has them in their fingers: each is a call of ./dev or cay, which see.
# Options for `cay env build`: make sandbox-build-basic ENV_OPTIONS='--progress plain'
CAY = build/release/cay

.PHONY: build sandbox-build-basic sandbox-build-full sandbox-test dev-full

build:
	./dev build release cay cay-guest

sandbox-build-basic: build
	$(CAY) env build $(ENV_OPTIONS) basic

sandbox-build-full: build
	$(CAY) env build $(ENV_OPTIONS) full

# What is built of the environments.
sandbox-test: build
	$(CAY) env test --all

# The program, and a server with the basic environment as what its sandboxes start from.
dev-full: sandbox-build-basic
	$(CAY) serve --template basic
