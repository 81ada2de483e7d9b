"""Puts work in: sources are enumerated and their documents submitted."""
