"""File URIs, the text form of a path, exact for every name that the file system allows; and prefixes of ours."""

from urllib.parse import quote_from_bytes, unquote_to_bytes

SCHEME = "file://"
GIVEN = "given:"
"""What a program handed over begins so, where it has no name."""
STDIN = "stdin:"
"""And so does a list of files on standard input."""


def path_to_uri(path: bytes) -> str:
    """The `file://` URI of an absolute path; equal to `Path.as_uri()` where that works. ValueError if relative."""
    if not path.startswith(b"/"):
        raise ValueError("only an absolute path has a URI")
    return SCHEME + quote_from_bytes(path)


def uri_to_path(uri: str) -> bytes:
    """The path of a local `file://` URI. ValueError for another scheme or host, a query, a fragment or a NUL."""
    local = uri.removeprefix(SCHEME).removeprefix("localhost")
    if not uri.startswith(SCHEME) or not local.startswith("/"):
        raise ValueError("not the URI of a local file")
    if "?" in local or "#" in local:
        raise ValueError("a file URI has no query and no fragment; write %3F for ? and %23 for #")
    path = unquote_to_bytes(local)
    if b"\0" in path:
        raise ValueError("a path cannot hold a NUL byte")
    return path
