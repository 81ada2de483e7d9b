"""Answers queries over the index that the workers build."""
