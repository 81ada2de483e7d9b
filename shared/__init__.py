"""What two packages need: settings, errors, states, messages, database, blob store, providers."""

VERSION = "0.1.0"
