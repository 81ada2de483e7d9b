"""The asking machine: whatever is asked of a provider is paid once, and nobody fails for another."""
