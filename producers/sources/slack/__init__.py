"""Slack exports: conversations as documents, a thread or a day each."""
