"""Turns a file's bytes into structure, each in a child process that may die alone."""
