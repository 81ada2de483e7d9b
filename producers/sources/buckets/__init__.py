"""Buckets as sources: listing them, and which of their keys are documents."""
