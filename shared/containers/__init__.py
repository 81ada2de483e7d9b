"""Archives and mailboxes as containers of documents, read as streams: nothing is ever extracted to a path."""
