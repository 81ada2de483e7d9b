"""Vendors' batch APIs behind one interface: requests sent together, answered within a day, at half the price."""
