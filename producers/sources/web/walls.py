"""What a page is that has text and is no document: a login, a wall of cookies, an error that calls itself a success.

Such a page has few words beside what it is; a page that is about logins or errors has more.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

LOGIN = "it is a login form"
NOT_FOUND = "it says that there is no such page"
MOST_WORDS = 120
"""Of a wall, without the site's navigation; a character counts where a script has no blanks."""
MOST_WORDS_OF_A_SHELL = 25

_AROUND = ["nav", "header", "footer", "select"]
_SHELL = "#root:empty, #app:empty, #__next:empty, app-root:empty, script[src], script[type=module]"
_WORD = re.compile(r"[぀-ヿ㐀-鿿가-힣]|\w+")
_PARTS = re.compile(r"\s+[|–—·:»-]\s+|[|·»]")


def _phrases(text: str) -> re.Pattern[str]:
    return re.compile(f"(?:{'|'.join(text.split(';'))})[.!… ]*", re.IGNORECASE)


_LOGIN_TITLE = _phrases(
    r"(?:please |you (?:must|need to|have to) )?(?:be )?(?:log(?:ged)? ?[io]n|sign(?:ed)? ?in)"
    r"(?: to .{1,60}| required)?;"
    r"authentication required;members only;anmelden;anmeldung;einloggen;connexion;se connecter;iniciar sesi[oó]n;"
    r"acceso;accedi;inloggen;logga in;zaloguj się;вход;войти;登录;登錄;ログイン;로그인"
)
_NOT_FOUND_TITLE = _phrases(
    r"(?:error |http |fehler )?(?:404|410)(?: error| fehler)?(?:[ :,-]*(?:page |file )?(?:not found|gone))?;"
    r"(?:error[ :,-]*|sorry[ ,.!]*)?(?:(?:this|the|that) )?(?:(?:page|file|document|content|article) )?(?:was )?"
    r"(?:not found|(?:could|can)(?:not|n't| not) be found|does(?:n't| not) exist|"
    r"(?:is )?no longer (?:available|exists?));"
    r"(?:sorry[ ,.!]*)?(?:we )?(?:could|ca)(?:nnot|not|n't| not) find (?:that|this|the|your) page.{0,40};"
    r"(?:die )?seite (?:wurde )?nicht gefunden;page (?:introuvable|non trouv[ée]e);p[áa]gina no encontrada;"
    r"p[áa]gina n[ãa]o encontrada;pagina non trovata;pagina niet gevonden;sidan hittades inte;nie znaleziono strony;"
    r"страница не найдена;页面不存在;找不到(?:页面|网页);頁面不存在;ページが見つかりません(?:でした)?;"
    r"페이지를 찾을 수 없습니다;o+ps.{0,40}"
)
_CHECK_TITLE = _phrases(
    r"just a moment;attention required.{0,30};access denied;are you (?:a robot|human).{0,20};"
    r"checking your browser.{0,40};(?:security|bot) (?:check|verification);one more step;captcha.{0,20}"
)
_ACCEPT = re.compile(
    r"\s*(?:(?:yes|ok)[, ]+)?(?:i )?(?:accept|agree|allow|consent|got it|akzeptieren|alle akzeptieren|zustimmen|"
    r"accepter|tout accepter|aceptar|accetta|accepteren|godk[äa]nn)\b.{0,40}",
    re.IGNORECASE | re.DOTALL,
)
_BUTTONS = "button, [role=button], input[type=submit i], input[type=button i], a[href]"
MOST_BUTTONS = 200
_COOKIES = re.compile(r"\b(?:cookies?|consent|gdpr|dsgvo)\b", re.IGNORECASE)
_NEEDS_SCRIPT = re.compile(
    r"(?:enable|activate|allow|turn on|requires?|needs?|without)\W+(?:\w+\W+){0,3}javascript|"
    r"javascript\W+(?:\w+\W+){0,3}(?:required|disabled|enabled|off|deaktiviert|aktivieren|d[ée]sactiv[ée])",
    re.IGNORECASE,
)
_LOGIN_PATH = re.compile(
    r"/(?:log-?in|sign-?in|logon|sso|saml2?|oauth2?|openid|adfs|wp-login\.php)(?:[/.?]|$)", re.IGNORECASE
)


def leads_to_login(asked: str, answered: str) -> bool:
    """Whether a redirect ends at a login that nobody asked for."""
    before, after = urlsplit(asked).path, urlsplit(answered).path
    return _LOGIN_PATH.search(after) is not None and _LOGIN_PATH.search(before) is None


@dataclass(frozen=True, slots=True)
class Signs:
    """What of a page is no text of its own, and tells what it is."""

    titles: tuple[str, ...]
    has_password: bool
    asks_to_accept: bool
    without_scripts: str
    is_shell: bool


def find_signs(tree: "LexborHTMLParser", title: str) -> Signs:
    """The signs of a page that is still whole."""
    heading = tree.css_first("h1")
    titles = (*_PARTS.split(title), *([heading.text()] if heading else []))
    return Signs(
        tuple(part.strip() for part in titles),
        tree.css_first("input[type=password i]") is not None,
        any(_ACCEPT.fullmatch(_said(node)) for node in tree.css(_BUTTONS)[:MOST_BUTTONS]),
        " ".join(node.text() for node in tree.css("noscript")),
        tree.css_first(_SHELL) is not None,
    )


def _said(button: "LexborNode") -> str:
    return button.text() or button.attributes.get("value") or ""


def describe_wall(signs: Signs, tree: "LexborHTMLParser") -> str:
    """Why a page is no document; "" for one that is. What a site puts around its pages leaves the tree."""
    tree.strip_tags(_AROUND)
    text = tree.body.text(separator=" ") if tree.body else ""
    words = len(_WORD.findall(text))
    if words > MOST_WORDS:
        return ""
    rules = (
        (LOGIN, signs.has_password or _any(_LOGIN_TITLE, signs.titles)),
        (NOT_FOUND, _any(_NOT_FOUND_TITLE, signs.titles)),
        ("it wants to know whether we are human", _any(_CHECK_TITLE, signs.titles)),
        ("it asks to accept cookies first", signs.asks_to_accept and _COOKIES.search(text) is not None),
        ("it is empty without its scripts", words <= MOST_WORDS_OF_A_SHELL and _needs_scripts(signs, text)),
    )
    return next((wall for wall, holds in rules if holds), "")


def _any(pattern: re.Pattern[str], texts: Iterable[str]) -> bool:
    return any(pattern.fullmatch(text) for text in texts)


def _needs_scripts(signs: Signs, text: str) -> bool:
    return bool(_NEEDS_SCRIPT.search(signs.without_scripts + text)) or (not text.strip() and signs.is_shell)
