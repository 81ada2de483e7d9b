"""The command line: what a person types becomes a call of a service, and its result lines or JSON."""
