"""Owns PDF: pdfium gives characters with their places, and from these comes the structure that a reader sees."""
