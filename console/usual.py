"""What stands for a collection where nobody names one."""

USUAL = "\0"
"""No collection can have this name, and nobody can type it."""
DEFAULT = "default"
"""The collection that is meant then by whoever reaches it; everybody else means the only one that they reach."""
