"""Redaction: what tells a person or opens a door is found in a text, and a placeholder stands in its place."""
