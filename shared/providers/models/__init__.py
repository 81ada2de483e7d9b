"""Judges of chunks; `rules` is the offline validator."""
