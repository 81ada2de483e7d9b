"""The chain of the audit: whatever is changed, removed, put elsewhere or cut off is found, and named."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from embedmill.shared.audit.chain import RecordFault, RecordFaultKind, check_chain, mac_of, seal_of, write_body
from embedmill.shared.db.audit import GENESIS, ChainHead, ChainLink

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
RECORDS = 30
CHAIN = "handbook"


def make_chain(chain: str = CHAIN, *, key: bytes = KEY, floor: int = 0) -> tuple[list[ChainLink], ChainHead]:
    """A chain of some records, of which those up to `floor` were let go."""
    links: list[ChainLink] = []
    mac = GENESIS
    for seq in range(1, RECORDS + 1):
        at = 1_000_000 * seq
        body = write_body({"v": 1, "chain": chain, "seq": seq, "at": at, "action": "search", "counts": {"hits": seq}})
        mac = mac_of(key, mac, body)
        links.append(ChainLink(seq, at, body, mac))
    floor_mac = links[floor - 1].mac if floor else GENESIS
    head = ChainHead(chain, RECORDS, mac, floor, floor_mac, seal_of(key, chain, floor, floor_mac), "id")
    return links[floor:], head


LINKS, HEAD = make_chain()


def faults(links: list[ChainLink], head: ChainHead | None = HEAD) -> list[RecordFault]:
    return list(check_chain(CHAIN, sorted(links, key=lambda link: link.seq), head, KEY))


def found(links: list[ChainLink], head: ChainHead | None = HEAD) -> list[tuple[int, RecordFaultKind]]:
    return [(fault.seq, fault.fault) for fault in faults(links, head)]


def changed(place: int, /, **changes: object) -> list[ChainLink]:
    """The chain with something else of the record at a place."""
    return [replace(link, **changes) if link.seq == place else link for link in LINKS]  # type: ignore[arg-type]


def test_a_chain_as_it_was_written_has_no_faults() -> None:
    assert found(LINKS) == []
    links, head = make_chain(floor=7)
    assert found(links, head) == []


def test_a_number_that_no_database_takes_is_recorded_as_it_was_asked_for() -> None:
    assert write_body({"b": "ä", "a": 10**30}) == f'{{"a":{10**30},"b":"ä"}}'


def test_a_changed_record_is_named_and_no_other() -> None:
    body = LINKS[11].body.replace('"hits":12', '"hits":13')
    assert found(changed(12, body=body)) == [(12, RecordFaultKind.CHANGED)]
    assert found(changed(12, mac="ab" * 32)) == [(12, RecordFaultKind.CHANGED)]
    assert found(changed(12, at=5)) == [(12, RecordFaultKind.CHANGED)]
    assert found(changed(12, body="no record")) == [(12, RecordFaultKind.CHANGED)]


def test_records_that_are_gone_are_named() -> None:
    assert found(LINKS[:4] + LINKS[6:]) == [(5, RecordFaultKind.REMOVED)]
    assert faults(LINKS[:4] + LINKS[6:])[0].detail == "records 5 to 6 are missing"
    assert found(LINKS[1:]) == [(1, RecordFaultKind.REMOVED)]
    assert found(LINKS[:-3]) == [(28, RecordFaultKind.TRUNCATED)]
    assert found([]) == [(1, RecordFaultKind.TRUNCATED)]


def test_records_that_stand_elsewhere_are_named() -> None:
    links = [
        replace(LINKS[8], seq=4) if link.seq == 4 else replace(LINKS[3], seq=9) if link.seq == 9 else link
        for link in LINKS
    ]
    assert {(4, RecordFaultKind.REORDERED), (9, RecordFaultKind.REORDERED)} <= set(found(links))


def test_a_record_of_another_chain_is_none_of_this_one() -> None:
    others, _ = make_chain("other")
    assert found([others[4] if link.seq == 5 else link for link in LINKS])[0] == (5, RecordFaultKind.REORDERED)


def test_a_chain_that_was_made_again_without_the_key_is_found() -> None:
    links, head = make_chain(key=OTHER_KEY)
    assert {kind for _, kind in found(links, head)} >= {RecordFaultKind.CHANGED, RecordFaultKind.HEAD}


def test_more_records_than_the_head_knows_are_found() -> None:
    body = write_body({"v": 1, "chain": CHAIN, "seq": 31, "at": 31_000_000})
    assert (
        found([*LINKS, ChainLink(31, 31_000_000, body, mac_of(OTHER_KEY, HEAD.mac, body))])[-1][1]
        is RecordFaultKind.ADDED
    )


def test_a_beginning_that_nobody_sealed_is_found() -> None:
    head = replace(HEAD, floor=5, floor_mac=LINKS[4].mac)
    assert found(LINKS[5:], head) == [(5, RecordFaultKind.HEAD)]
    assert found(LINKS[5:])[0] == (1, RecordFaultKind.REMOVED)


Tampering = Callable[[random.Random], tuple[list[ChainLink], ChainHead | None]]


def _flip(text: str, chance: random.Random) -> str:
    place = chance.randrange(len(text))
    other = chance.choice([c for c in "0123456789abcdef{}:" if c != text[place]])
    return text[:place] + other + text[place + 1 :]


def _change(chance: random.Random) -> tuple[list[ChainLink], ChainHead | None]:
    link = chance.choice(LINKS)
    name = chance.choice(["body", "mac", "at"])
    value = link.at + chance.randrange(1, 99) if name == "at" else _flip(getattr(link, name), chance)
    return changed(link.seq, **{name: value}), HEAD


def _remove(chance: random.Random) -> tuple[list[ChainLink], ChainHead | None]:
    gone = set(chance.sample(range(1, RECORDS + 1), chance.randrange(1, 6)))
    return [link for link in LINKS if link.seq not in gone], HEAD


def _reorder(chance: random.Random) -> tuple[list[ChainLink], ChainHead | None]:
    places = chance.sample(range(RECORDS), chance.randrange(2, 6))
    moved = dict(zip(places, [*places[1:], places[0]], strict=True))
    return [replace(LINKS[moved.get(n, n)], seq=n + 1) for n in range(RECORDS)], HEAD


def _truncate(chance: random.Random) -> tuple[list[ChainLink], ChainHead | None]:
    left = chance.randrange(RECORDS)
    head = replace(HEAD, seq=left) if chance.random() < 0.3 else HEAD
    return LINKS[:left], head


def _repeat(chance: random.Random) -> tuple[list[ChainLink], ChainHead | None]:
    """Records of before, put at the end."""
    again = [replace(LINKS[chance.randrange(RECORDS)], seq=RECORDS + 1 + n) for n in range(chance.randrange(1, 4))]
    return [*LINKS, *again], replace(HEAD, seq=RECORDS + len(again), mac=again[-1].mac)


def _raise_floor(chance: random.Random) -> tuple[list[ChainLink], ChainHead | None]:
    floor = chance.randrange(1, RECORDS)
    return LINKS[floor:], replace(HEAD, floor=floor, floor_mac=LINKS[floor - 1].mac)


def _behead(chance: random.Random) -> tuple[list[ChainLink], ChainHead | None]:
    return LINKS, chance.choice([None, replace(HEAD, mac=_flip(HEAD.mac, chance)), replace(HEAD, seq=RECORDS + 1)])


def _forge(chance: random.Random) -> tuple[list[ChainLink], ChainHead | None]:
    """One record and all that follow, made again with a key of one's own."""
    first = chance.randrange(RECORDS)
    links, mac = LINKS[:first], LINKS[first - 1].mac if first else GENESIS
    for link in LINKS[first:]:
        body = link.body.replace("search", "nothing")
        mac = mac_of(OTHER_KEY, mac, body)
        links.append(replace(link, body=body, mac=mac))
    return links, replace(HEAD, mac=mac)


TAMPERINGS: list[Tampering] = [_change, _remove, _reorder, _truncate, _repeat, _raise_floor, _behead, _forge]


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda tamper: tamper.__name__)
def test_of_a_thousand_tamperings_all_are_found(tamper: Tampering) -> None:
    chance = random.Random(tamper.__name__)
    for _ in range(1000 // len(TAMPERINGS)):
        links, head = tamper(chance)
        assert found(links, head), (links, head)
