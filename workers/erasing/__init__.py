"""Erases documents, step by step, from everything that holds something of them, and says so in a receipt."""
