"""How documents are read, by the kinds of their origins."""
