"""The version of how texts are cut into words, for those who only have to name it."""

VERSION = 4
"""Belongs to an index: rows cut by another version are cut anew before they are searched."""
