"""What is read of a page is shown before anything is stored."""

from collections.abc import Iterator

import pytest

from embedmill.console.services.parsing import FileParser
from embedmill.shared.configuration import load_settings
from embedmill.shared.errors import UserError
from tests.services import site as sites
from tests.services.site import Reply, Site


@pytest.fixture
def site() -> Iterator[Site]:
    with sites.running() as site:
        yield site


def test_a_page_is_read_as_its_source_would_be(site: Site) -> None:
    site.at("/a?b=1&token=planted", "<nav>menu</nav><main><h1>Valves</h1><p>They close.</p></main>", title="Valves")
    with FileParser(load_settings(allow_private_addresses="1")) as parser:
        found = parser.parse_page(f"{site.url}/a?b=1&token=planted")
        assert (found.uri, found.format, found.title) == (f"{site.url}/a?b=1", "html", "Valves")
        assert "They close." in found.text
        assert "menu" not in found.text


def test_what_holds_no_document_says_why(site: Site) -> None:
    site.at("/wall", '<form><input type="password"></form>')
    site.at("/map.xml", Reply(b"<urlset></urlset>", media_type="text/xml"))
    with FileParser(load_settings(allow_private_addresses="1")) as parser:
        for path, reason in (("/wall", "login"), ("/gone", "404"), ("/map.xml", "no document")):
            with pytest.raises(UserError, match=reason):
                parser.parse_page(site.url + path)
    with FileParser(load_settings()) as parser, pytest.raises(UserError, match="private address"):
        parser.parse_page(site.url)
