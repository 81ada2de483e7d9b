"""Tables that fill files: separated values and workbooks."""
