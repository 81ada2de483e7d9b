"""Owns source code: blocks of code whose edges are those of functions and classes, with the comments above them.

Python is read by its own grammar; other languages by blank lines and indentation, which come close in all of them.
"""

import ast
import re
from collections.abc import Iterator, Sequence

from embedmill.workers.parsing.draft import Draft, clean

PREFIX = "text/x-"
"""A file's media type is this and its language."""

LANGUAGES = {
    "python": "py pyi pyw", "javascript": "js mjs cjs jsx", "typescript": "ts mts cts tsx", "java": "java",
    "kotlin": "kt kts", "scala": "scala sc", "go": "go", "rust": "rs", "c": "c h", "cpp": "cpp cc cxx c++ hpp hh hxx",
    "csharp": "cs", "ruby": "rb", "php": "php", "swift": "swift", "objective-c": "mm", "shell": "sh bash zsh ksh",
    "powershell": "ps1 psm1", "sql": "sql", "lua": "lua", "perl": "pl pm", "r": "r", "julia": "jl", "haskell": "hs",
    "elixir": "ex exs", "erlang": "erl", "clojure": "clj cljs", "dart": "dart", "groovy": "groovy gradle",
    "fortran": "f90 f95", "css": "css scss less", "yaml": "yaml yml", "toml": "toml", "protobuf": "proto",
    "graphql": "graphql gql", "terraform": "tf hcl", "vue": "vue", "svelte": "svelte", "ocaml": "ml mli",
    "fsharp": "fs fsx", "zig": "zig", "nim": "nim", "vb": "vb bas", "cmake": "cmake",
}  # fmt: skip
SUFFIXES = {f".{suffix}": PREFIX + language for language, found in LANGUAGES.items() for suffix in found.split()}
PYTHON = PREFIX + "python"

LONG_LINES = 60
"""A function or class of more lines is divided at the edges within."""

_CLOSING = re.compile(r"\s*(?:[)\]}>].*|(?:end|else|elif|fi|done|esac|catch|except|finally|#endif|#else)\b.{0,20})")
_MOST_PARSED = 1_000_000


def read(data: bytes, draft: Draft) -> None:
    """Blocks in order; nothing is left out."""
    text = clean(draft.decode(data))
    lines = text.split("\n")
    starts = _python_starts(text) if draft.media_type == PYTHON else None
    for block in _cut(lines, starts) if starts else _pieces(lines, 0):
        draft.code("\n".join(block))


def _python_starts(text: str) -> list[int] | None:
    """Lines, from 0, at which a function, class or method begins, or what follows one; None for no valid Python."""
    if len(text) > _MOST_PARSED:
        return None
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return sorted(set(_starts(tree.body)))


def _starts(body: Sequence[ast.stmt]) -> Iterator[int]:
    is_behind = False
    for statement in body:
        is_definition = isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if is_definition or is_behind:
            yield _first_line(statement)
        if isinstance(statement, ast.ClassDef) and _length(statement) > LONG_LINES:
            yield from _starts(statement.body)
        is_behind = is_definition


def _first_line(statement: ast.stmt) -> int:
    decorators = getattr(statement, "decorator_list", ())
    return min(statement.lineno, *(int(each.lineno) for each in decorators), statement.lineno) - 1


def _length(statement: ast.stmt) -> int:
    return (statement.end_lineno or statement.lineno) - statement.lineno


def _cut(lines: Sequence[str], starts: Sequence[int]) -> Iterator[Sequence[str]]:
    """Pieces from start to start; comments right above a start belong to it."""
    before = 0
    for start in starts:
        at = start
        while at > before and lines[at - 1].lstrip().startswith("#"):
            at -= 1
        if at > before:
            yield lines[before:at]
        before = at
    yield lines[before:]


def _pieces(lines: Sequence[str], depth: int) -> Iterator[Sequence[str]]:
    """Cut at blank lines before what is indented least; a piece that is long is cut again, one step deeper."""
    step = _step(lines, depth)
    piece: list[str] = []
    for line in lines:
        if piece and not piece[-1].strip() and _begins(line, step):
            yield from _shortened(piece, depth)
            piece = []
        piece.append(line)
    yield from _shortened(piece, depth)


def _shortened(piece: list[str], depth: int) -> Iterator[Sequence[str]]:
    if len(piece) <= LONG_LINES or depth >= 3:
        yield piece
    else:
        yield from _pieces(piece, depth + 1)


def _begins(line: str, step: int) -> bool:
    return bool(line.strip()) and _indent(line) <= step and _CLOSING.fullmatch(line) is None


def _step(lines: Sequence[str], depth: int) -> int:
    """The indentation of that depth: the least is depth 0."""
    found = sorted({_indent(line) for line in lines if line.strip()})
    return found[min(depth, len(found) - 1)] if found else 0


def _indent(line: str) -> int:
    expanded = line.expandtabs(8)
    return len(expanded) - len(expanded.lstrip())
