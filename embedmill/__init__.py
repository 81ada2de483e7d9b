"""Embedmill: a queue-based embedding pipeline; the folders of the checkout are its packages."""
