"""The benchmark of web pages: how much of a page's text is read, and how much of what its site put around it.

`python -m bench webpages --documents FOLDER` reads pages of the sites that `webpages.toml` names, and prints for each
the precision and recall of words against the part that was chosen by hand. trafilatura is the yardstick where it is
installed (`pip install trafilatura lxml_html_clean`); the product does not need it.
"""

import argparse
import re
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser, LexborNode

from embedmill.shared.encoding import decode
from embedmill.workers.parsing.document import BlockKind
from embedmill.workers.parsing.limits import ParserLimits
from embedmill.workers.parsing.parse import parse

SITES = Path(__file__).with_name("webpages.toml")
SHORTEST = 20
"""Words below which a page says nothing about a reader."""

_WORD = re.compile(r"\w+")
_MARKER = re.compile(r" *(?:-|\w{1,4}\.) ")
_NO_TEXT = ["script", "style", "noscript", "template", "title", "nav"]

Reader = Callable[[bytes], str]


@dataclass(slots=True)
class SiteScore:
    """Sums over the pages of one site."""

    pages: int = 0
    precision: float = 0.0
    recall: float = 0.0
    seconds: float = 0.0

    def add(self, truth: Counter[str], found: Counter[str], seconds: float) -> None:
        hits = (truth & found).total()
        self.pages += 1
        self.precision += hits / max(found.total(), 1)
        self.recall += hits / truth.total()
        self.seconds += seconds

    def plus(self, other: "SiteScore") -> "SiteScore":
        return SiteScore(
            self.pages + other.pages,
            self.precision + other.precision,
            self.recall + other.recall,
            self.seconds + other.seconds,
        )

    def __str__(self) -> str:
        pages = max(self.pages, 1)
        return f"{self.precision / pages:.3f} / {self.recall / pages:.3f}  {1000 * self.seconds / pages:5.1f} ms"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="Benchmark of web pages.")
    parser.add_argument("--documents", type=Path, required=True, help="a folder with a folder a site")
    folder = parser.parse_args(arguments).documents
    readers: dict[str, Reader] = {"embedmill": read_here}
    if find_spec("trafilatura"):
        readers["trafilatura"] = read_there
    print(f"{'site':22} pages  " + "  ".join(f"{name + ', precision / recall':30}" for name in readers))
    sums: dict[str, SiteScore] = defaultdict(SiteScore)
    for site, rules in tomllib.loads(SITES.read_text("utf-8")).items():
        scores = score_site(pages_of(folder / site), rules, readers)
        print_line(site, scores.values())
        for name, score in scores.items():
            sums[name] = sums[name].plus(score)
    print_line("all", sums.values())


def pages_of(folder: Path) -> Iterator[bytes]:
    """Every page of a site."""
    return (path.read_bytes() for path in sorted(folder.rglob("*.html")) if path.is_file())


def score_site(pages: Iterable[bytes], rules: dict[str, str], readers: dict[str, Reader]) -> dict[str, SiteScore]:
    """Each reader's score on the pages of one site."""
    scores = {name: SiteScore() for name in readers}
    for page in pages:
        truth = words(chosen_text(page, rules))
        if truth.total() < SHORTEST:
            continue
        for name, read in readers.items():
            start = time.process_time()
            text = read(page)
            scores[name].add(truth, words(text), time.process_time() - start)
    return scores


def chosen_text(page: bytes, rules: dict[str, str]) -> str:
    """The text of the part that a person chose."""
    tree = LexborHTMLParser(decode(page, declared=_declared(page)).text)
    tree.strip_tags(_NO_TEXT)
    dropped = {node.mem_id for node in tree.css(f"a.headerlink, {rules.get('drop', 'nav')}")}
    root = tree.css_first(rules.get("main", "body")) or tree.body
    return "" if root is None else " ".join(_texts(root, dropped))


def chosen_part(page: bytes, rules: dict[str, str]) -> str:
    """The part that a person chose, as HTML."""
    tree = LexborHTMLParser(decode(page, declared=_declared(page)).text)
    tree.strip_tags(_NO_TEXT)
    for node in tree.css(f"a.headerlink, {rules.get('drop', 'nav')}"):
        node.decompose()
    root = tree.css_first(rules.get("main", "body")) or tree.body
    return "" if root is None else root.html or ""


def words(text: str) -> Counter[str]:
    """The words of a text, each as often as it stands there."""
    return Counter(_WORD.findall(text))


def read_here(page: bytes) -> str:
    """By Embedmill, without the numbers that browsers make for lists."""
    blocks = parse(page, name="page.html", limits=ParserLimits()).blocks
    return "\n".join(
        _MARKER.sub("", block.text, count=1) if block.kind is BlockKind.LIST_ITEM else block.text for block in blocks
    )


def read_there(page: bytes) -> str:
    """By trafilatura, with its tables."""
    extract = import_module("trafilatura").extract
    return str(extract(page, include_comments=False, include_tables=True) or "")


def print_line(site: str, scores: Iterable[SiteScore]) -> None:
    """One line of the table."""
    found = list(scores)
    print(f"{site:22} {found[0].pages:5}  " + "  ".join(f"{score!s:30}" for score in found))


def _declared(page: bytes) -> str | None:
    found = re.search(rb"charset=[\"']?([\w-]+)", page[:4096])
    return found[1].decode() if found else None


def _texts(root: LexborNode, dropped: set[int]) -> Iterator[str]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.tag == "-text":
            yield node.text_content or ""
        elif node.mem_id not in dropped:
            waiting.extend(reversed(list(node.iter(include_text=True))))


if __name__ == "__main__":
    main()
