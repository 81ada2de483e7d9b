"""Validation by a model: prompts, verdicts, the sanity checks on them, and what a verdict does to a chunk."""
