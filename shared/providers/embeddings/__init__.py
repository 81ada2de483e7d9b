"""Embedding providers: `local` (default), `local/minilm` (extra) and `hash` (tests and benchmarks)."""
