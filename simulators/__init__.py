"""Simulators of paid providers: HTTP servers that speak the vendors' wire formats, keep state and write a bill."""
