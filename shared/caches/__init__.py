"""Caches by content address: what was computed once, or paid for once, is not again."""
