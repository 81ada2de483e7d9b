"""Where documents come from: files, folders, lists and tables of rows, enumerated as a stream."""
