"""Blob stores: content-addressed objects outside the database."""
