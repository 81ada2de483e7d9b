"""Rerankers: vendors' models that say how relevant texts are to a query, and nothing of why."""
