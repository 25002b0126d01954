"""Public helpers for tests: conformance checks and generated worlds."""
