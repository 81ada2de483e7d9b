"""Flow control that all processes share: allowances a minute, circuits, and how many requests may be out at once."""
