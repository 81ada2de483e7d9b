"""The benchmark of encodings: how many cuts of legacy text are read right.

`python -m bench encodings [--documents FOLDER]` cuts one to five paragraphs out of `paragraphs.toml`, fourteen
languages in their code pages, and out of a folder's documents in the languages that it has; it prints the share that
was read right, character by character, for each code page and length.
"""

import argparse
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from embedmill.shared.encoding import decode
from embedmill.shared.errors import UnsupportedDocument

LONGEST = 5
PARAGRAPHS = Path(__file__).with_name("paragraphs.toml")
OF_DOCUMENTS = {
    "de": ("cp1252", "cp850"), "es": ("cp1252", "iso8859_15"), "ru": ("cp1251", "koi8_r"), "ja": ("cp932", "euc_jp"),
    "zh": ("gb18030",), "tr": ("cp1254",), "ko": ("cp949",), "ar": ("cp1256",),
}  # fmt: skip
CUTS_OF_A_DOCUMENT = 20
_LANGUAGE = re.compile(r"(?<![a-z])(de|es|ru|ja|zh|tr|ko|ar)(?![a-z])")
_MARKUP = re.compile(r"<(script|style).*?</\1>|<[^>]*>|&\w+;", re.DOTALL)


@dataclass(frozen=True, slots=True)
class EncodedText:
    """A text of so many paragraphs, and the code page that it is written in."""

    text: str
    encoding: str
    paragraphs: int

    def is_read_right(self) -> bool:
        """Whether the text comes back; a file that is refused does not."""
        try:
            return decode(self.text.encode(self.encoding)).text == self.text
        except UnsupportedDocument:
            return False


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="Benchmark of encodings.")
    parser.add_argument("--documents", type=Path, help="a folder whose paths name languages: apache-intl/x.html.tr")
    options = parser.parse_args(arguments)
    print_shares("paragraphs", own_cuts())
    if options.documents:
        print_shares("documents", document_cuts(options.documents))


def own_cuts(lengths: Iterable[int] = range(1, LONGEST + 1)) -> Iterator[EncodedText]:
    """Every run of paragraphs of each language in each of its code pages."""
    for language in tomllib.loads(PARAGRAPHS.read_text("utf-8")).values():
        for encoding in language["code_pages"]:
            for length in lengths:
                yield from _cuts(language["paragraphs"], encoding, length)


def document_cuts(folder: Path) -> Iterator[EncodedText]:
    """Runs of paragraphs that hold a letter beyond ASCII, out of documents whose path names their language."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        language = _LANGUAGE.search(str(path.relative_to(folder)))
        paragraphs = _paragraphs(path) if language else []
        for encoding in OF_DOCUMENTS[language[1]] if language else ():
            for length in range(1, LONGEST + 1):
                yield from _cuts(paragraphs[: CUTS_OF_A_DOCUMENT + length], encoding, length)


def print_shares(what: str, cuts: Iterable[EncodedText]) -> None:
    """The share of cuts that are read right: of all, by length and by code page."""
    right: dict[str, list[bool]] = defaultdict(list)
    for cut in cuts:
        is_right = cut.is_read_right()
        for key in ("all", f"{cut.paragraphs} paragraphs", cut.encoding):
            right[key].append(is_right)
    for key, found in sorted(right.items()):
        print(f"{what:10} {key:14} {sum(found) / len(found):6.1%} of {len(found):,}", flush=True)


def _cuts(paragraphs: Sequence[str], encoding: str, length: int) -> Iterator[EncodedText]:
    for start in range(len(paragraphs) - length + 1):
        text = "\n\n".join(paragraphs[start : start + length])
        if _is_writable(text, encoding):
            yield EncodedText(text, encoding, length)


def _is_writable(text: str, encoding: str) -> bool:
    try:
        return text.encode(encoding).decode(encoding) == text
    except UnicodeEncodeError:
        return False


def _paragraphs(path: Path) -> list[str]:
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        return []
    parts = re.split(r"\n\s*\n", _MARKUP.sub(" ", text).replace("\r", ""))
    return [part.strip() for part in parts if len(part.strip()) > 40 and not part.isascii()]
