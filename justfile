# `just` lists what can be done.

default:
    @just --list

# Everything that a change must pass
ci:
    .ci/run

# The tests
test *args:
    scripts/test {{args}}

# The tests on real hosts with a real Kubernetes
lab *args:
    scripts/lab {{args}}

# Deliberate bugs, each caught by its property; `just mutants --more --file FILE` lets cargo-mutants make some
mutants *args:
    scripts/mutants {{args}}

# Formats and lints
lint:
    cargo fmt --all
    cargo clippy --all-targets -- -D warnings

# The JSON Schemas, tried with a real YAML language server
schema-check *args:
    scripts/schema-check {{args}}

# Writes the generated reference pages and schemas anew
docs:
    UPDATE_DOCS=1 cargo test --test it docs

# Builds the book in target/book
book:
    scripts/book
