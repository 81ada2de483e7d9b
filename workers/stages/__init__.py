"""The four stages as plain functions from a claim to outcomes; nothing here knows Celery."""
