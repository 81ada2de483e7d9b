"""The brokers that carry wake-ups, one module each behind one interface; the table names them by URL scheme."""
