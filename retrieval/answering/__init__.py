"""Answers from documents alone: every sentence bears quotes that were checked."""
