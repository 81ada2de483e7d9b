"""The embedded vector store: a SQLite file a shard, safe with several processes on one host."""
