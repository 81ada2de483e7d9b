"""Families of providers, each with one small interface, one table of names and one conformance suite."""
