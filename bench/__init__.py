"""Workloads and reports: every claim about speed, memory or cost is measured here."""
