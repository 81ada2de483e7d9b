"""Vector stores: one package for each, behind one interface."""
