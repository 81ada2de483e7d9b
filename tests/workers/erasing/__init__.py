"""Tests of embedmill.workers.erasing."""
