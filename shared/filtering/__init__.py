"""Conditions on documents: one small grammar, the same meaning in every store."""
