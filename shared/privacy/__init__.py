"""The keys of an installation, and what is kept under them: documents, verdicts, stored objects and caches, sealed."""
