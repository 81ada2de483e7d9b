"""What documents come to before anything is paid for: chunks, tokens and calls, by splitting all of them or some.

What costs nothing is left out: a text whose vector is cached, a verdict that is known, whatever comes twice, and chunks
that the rules reject.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from random import Random
from typing import TYPE_CHECKING

from embedmill.console.services.measures import MeasuredDocuments, Measurer, Outline, Prospect, Totals, spread
from embedmill.shared.collections import CollectionSettings
from embedmill.shared.db import spending
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.sizes import SizedDocument, Sizes, list_some, sum_sizes
from embedmill.shared.errors import BlobMissing, DocumentError, ParserCrashed
from embedmill.shared.ledger import EMBED, MESSAGE
from embedmill.shared.loading import loaders
from embedmill.shared.runtime import Runtime
from embedmill.shared.spend.estimates import ValidationLoad

if TYPE_CHECKING:
    from embedmill.shared.db.collections import Collection


LISTED, READ, READ_SECONDS = 2000, 80, 5.0
"""How many documents of a job are looked at by name and size, how many of these are read at most, and how long."""
LEAST_READ, LATEST_SECONDS = 40, 15.0
"""So many are read even when that time is over, unless it is over for so long."""
ONE_SECONDS = 5.0
ALL_READ = 24
"""So few documents are all read."""
SMALL_SHARE = 0.02
"""Kinds of documents that are less of a job than this are looked at together."""


def measure_job(
    runtime: Runtime, job_id: int, settings: CollectionSettings, collection: "Collection"
) -> MeasuredDocuments:
    """What the documents of a job come to: all of them if they are few, else by some of each kind and size.

    Workers may be at it already, and what they have embedded is no cache of before: as soon as the job's own rows in
    the ledger tell what share of it is due, they are believed.
    """
    from embedmill.workers.parsing.limits import ParserLimits
    from embedmill.workers.parsing.sandbox import Parser

    def look(connection: Connection) -> tuple[dict[bool, Sizes], int, list[SizedDocument]]:
        sizes = sum_sizes(connection, job_id)
        documents = sum(of.documents for of in sizes.values())
        return sizes, documents, list_some(connection, job_id, documents=documents, most=LISTED)

    sizes, documents, listed = runtime.database.query(look)
    strata = list(_stratify(listed, {kind: of.size for kind, of in sizes.items()}))
    outline = Outline.read(runtime, settings, collection)
    limits = replace(ParserLimits.from_settings(runtime.settings), seconds=ONE_SECONDS)
    with Parser(limits) as parser:
        reader = _SampleReader(
            Measurer(runtime, settings, parser, collection), outline, until=time.monotonic() + READ_SECONDS
        )
        read = reader.read(_choose(strata, everything=documents <= ALL_READ))
    totals, wanted = _extrapolate(strata, documents)
    due = runtime.database.query(lambda connection: spending.measure_due(connection, job_id))
    if EMBED in due:
        told = {"due_chunks": totals.embedded_chunks, "due_tokens": totals.embedded_tokens}
        totals = replace(totals, **{name: due[EMBED] * amount for name, amount in told.items()})
    asked = ValidationLoad()
    if outline.asks:
        fresh = due.get(MESSAGE, 1 - wanted.known / max(wanted.every.chunks, 1))
        asked = outline.scale(replace(wanted, every=wanted.every.scaled(fresh)), totals)
    return MeasuredDocuments(totals, asked, read)


@dataclass(slots=True)
class ListedDocuments:
    """Documents that were only listed: how many and how large all of them are, and some of them, each as likely."""

    documents: int = 0
    size: int = 0
    some: list[SizedDocument] = field(default_factory=list)
    _random: Random = field(default_factory=lambda: Random(0))  # noqa: S311 - what is drawn is a sample

    def add(self, one: SizedDocument) -> None:
        """One more."""
        self.documents += 1
        self.size += one.size
        if len(self.some) < LISTED:
            self.some.append(one)
        elif (place := self._random.randrange(self.documents)) < LISTED:
            self.some[place] = one

    def measure(self, measurer: Measurer, outline: Outline) -> MeasuredDocuments:
        """What they come to, by reading some of each kind and size."""
        strata = list(_stratify(self.some, {False: self.size}))
        reader = _SampleReader(measurer, outline, until=time.monotonic() + READ_SECONDS)
        read = reader.read(_choose(strata, everything=False))
        totals, wanted = _extrapolate(strata, self.documents)
        asked = outline.scale(wanted, totals) if outline.asks else ValidationLoad()
        return MeasuredDocuments(totals, asked, read)


@dataclass(slots=True)
class Stratum:
    """Documents of one kind and about one size; `size` is the sum over all that there are, `read` over those read."""

    listed: list[SizedDocument]
    size: float
    read: float = 0
    totals: Totals = field(default_factory=Totals)
    wanted: Prospect = field(default_factory=Prospect)


def _stratify(listed: Sequence[SizedDocument], sizes: Mapping[bool, int]) -> Iterator[Stratum]:
    """By kind and by size in steps of four; sums are scaled from what is listed to all that there is."""
    seen = {kind: sum(one.size for one in listed if one.is_split is kind) for kind in (False, True)}
    groups: dict[tuple[bool, str, int], list[SizedDocument]] = {}
    for one in listed:
        groups.setdefault((one.is_split, _kind(one), one.size.bit_length() // 2), []).append(one)
    whole = sum(sizes.values())
    rest: dict[bool, list[SizedDocument]] = {}
    for (is_split, _, _), members in groups.items():
        size = _sum(members) * sizes.get(is_split, 0) / seen[is_split]
        if size < SMALL_SHARE * whole:
            rest.setdefault(is_split, []).extend(members)
        else:
            yield Stratum(sorted(members, key=lambda one: one.size), size)
    for is_split, members in rest.items():
        size = _sum(members) * sizes.get(is_split, 0) / seen[is_split]
        yield Stratum(sorted(members, key=lambda one: one.size), size)


def _kind(listed: SizedDocument) -> str:
    kind = str(listed.origin["kind"])
    return kind if loaders.loader_class(kind).holds_text else PurePosixPath(listed.uri).suffix.lower()


def _sum(listed: Sequence[SizedDocument]) -> int:
    return sum(one.size for one in listed)


def _choose(strata: Sequence[Stratum], *, everything: bool) -> list[tuple[Stratum, SizedDocument]]:
    """What to read, by turns, so that whoever stops early has something of each; larger strata have more turns."""
    whole = sum(stratum.size for stratum in strata)
    turns: list[tuple[float, Stratum, SizedDocument]] = []
    for stratum in strata:
        wanted = len(stratum.listed) if everything else max(2, round(READ * stratum.size / max(whole, 1)))
        chosen = spread(stratum.listed, wanted)
        turns += [(turn / len(chosen), stratum, one) for turn, one in enumerate(chosen)]
    return [(stratum, one) for _, stratum, one in sorted(turns, key=lambda turn: turn[0])]


@dataclass(slots=True)
class _SampleReader:
    """Reads documents that were chosen, until all are read or the time is over."""

    measurer: Measurer
    outline: Outline
    until: float

    def read(self, chosen: Sequence[tuple[Stratum, SizedDocument]]) -> int:
        """How many were read: a few, however slow the machine is, and more while there is time."""
        for count, (stratum, one) in enumerate(chosen, 1):
            self._read(stratum, one)
            late = time.monotonic() - self.until
            if late > LATEST_SECONDS or (late > 0 and count >= LEAST_READ):
                return count
        return len(chosen)

    def _read(self, stratum: Stratum, one: SizedDocument) -> None:
        found = Totals(documents=1, unreadable=1)
        with suppress(DocumentError, ParserCrashed, BlobMissing):
            chunk_set = self.measurer.split_listed(one)
            found = self.measurer.measure(chunk_set)
            if self.outline.asks:
                stratum.wanted += self.outline.ask_alone(chunk_set, one.uri)
        stratum.read += one.size
        stratum.totals += found


def _extrapolate(strata: Sequence[Stratum], documents: int) -> tuple[Totals, Prospect]:
    """Each stratum by what was read of it; one of which nothing was read, as the average of all."""
    read = sum(stratum.read for stratum in strata)
    average = Stratum([], 0, read)
    for stratum in strata:
        average.totals += stratum.totals
        average.wanted += stratum.wanted
    totals, wanted = Totals(), Prospect()
    for stratum in strata:
        known = stratum if stratum.read else average
        factor = stratum.size / max(known.read, 1)
        totals += known.totals.scaled(factor)
        wanted += known.wanted.scaled(factor)
    return replace(totals, documents=documents), wanted
