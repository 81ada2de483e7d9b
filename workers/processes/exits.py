"""The exit statuses by which a worker tells its supervisor why it ended."""

EXIT_STORAGE = 75
"""It could not write any more: another start would not help."""
EXIT_SPENT = 76
"""It has done its share, or grown too large, and is to be replaced."""
