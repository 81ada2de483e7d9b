"""Migrations of the tracking database, and what they share."""
