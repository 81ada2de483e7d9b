"""A crawl holds a page at a time, whatever it has met."""

import tracemalloc

from embedmill.producers.sources.base import HeldItem, ReadContext
from embedmill.producers.sources.memory import Memory
from tests.producers.sources.web.crawling import reader
from tests.services.site import Asked, Reply, Site, html, prose

PAGES, PAGE_BYTES = 120, 100_000


def test_a_crawl_holds_a_few_pages_at_a_time(site: Site) -> None:
    """A stored memory lets go what is durable; here each change counts as that at once."""
    body = "<!--" + "x" * PAGE_BYTES + "-->"

    def answer(asked: Asked) -> Reply:
        place = asked.path[1:] or "0"
        number = int(place) if place.isdecimal() else PAGES
        if number >= PAGES:
            return Reply(b"", 404)
        links = "".join(f'<a href="/{number + step}">x</a>' for step in (1, 7) if number + step < PAGES)
        return Reply(html(prose(f"w{'abcdefghij'[number % 10]}{number}y") + links + body))

    site.fallback = answer
    site.at("/robots.txt", Reply(b"", 404))
    read = reader(site, crawl=True)
    memory = Memory()
    met = 0
    tracemalloc.start()
    try:
        for item in read.source.scan(ReadContext(memory, settings=read.settings)):
            met += isinstance(item, HeldItem)
            memory.settle(memory.take())
            site.asked.clear()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert met == PAGES
    assert peak < PAGES * PAGE_BYTES / 3
