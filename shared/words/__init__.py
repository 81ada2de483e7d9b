"""The words of texts and queries: cut by one cutter, counted alike for every store, weighed over a whole index."""
