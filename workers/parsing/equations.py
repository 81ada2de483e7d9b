"""Owns equations in a line form: `(a+b)/(2 c)`, `x^2`, `sqrt(x)`, from Office's math (OMML) and from MathML."""

import re
from collections.abc import Callable, Iterable

from embedmill.workers.parsing.xml import Element, attribute, local_name

_ATOM = re.compile(r"[^\W_]+(?:[.,]\d+)?|.|", re.DOTALL)
_PRODUCT = re.compile(r"\d[\d.,]*[^\W\d_]+")
_WORD_END = re.compile(r"[\w)\]}]\Z")
_WORD_START = re.compile(r"[\w(\[{√∑∫∏]")
_INVISIBLE = dict.fromkeys(map(ord, "\u2061\u2062\u2063\u2064\u200b"))
_ARGUMENTS = re.compile(r"[(\[{|]")


def atom(text: str) -> str:
    """In parentheses, unless it is one number, one word, one sign or enclosed already."""
    text = text.strip()
    return text if _ATOM.fullmatch(text) or _is_enclosed(text) else f"({text})"


def fraction(over: str, under: str) -> str:
    """`(a+b)/c`; what is divided by a product is divided by all of it: `a/(2c)`."""
    under = under.strip()
    return f"{atom(over)}/{f'({under})' if _PRODUCT.fullmatch(under) else atom(under)}"


def scripted(base: str, *, below: str = "", above: str = "") -> str:
    """Base, subscript and superscript in one line."""
    base = base.strip()
    shown = atom(base) if base and not _is_operator(base) else base
    return f"{shown}{_script('_', below)}{_script('^', above)}"


def root(of: str, degree: str = "") -> str:
    """`sqrt(x)`, or `root(3, x)`."""
    return f"root({degree.strip()}, {of.strip()})" if degree.strip() else f"sqrt({of.strip()})"


def matrix(rows: Iterable[Iterable[str]]) -> str:
    """`[a, b; c, d]`."""
    return f"[{'; '.join(', '.join(cell.strip() for cell in row) for row in rows)}]"


def joined(pieces: Iterable[str]) -> str:
    """Neighbours that would read as one word or call are kept apart by a blank."""
    out = ""
    for piece in filter(None, pieces):
        apart = out and _WORD_END.search(out) and _WORD_START.match(piece) and not _is_call(out, piece)
        out += f" {piece}" if apart else piece
    return out


def _is_call(before: str, after: str) -> bool:
    return after.startswith("(") and bool(re.search(r"[^\W\d_]\Z", before))


def _script(mark: str, text: str) -> str:
    text = text.strip()
    if not text:
        return ""
    is_signed = re.fullmatch(r"[-+−–±]?[^\W_][^\W_.,]*(?:[.,][^\W_]+)*|['′″*†‡∗]+", text)
    return f"{mark}{text}" if is_signed else f"{mark}{atom(text)}"


def _is_operator(base: str) -> bool:
    return len(base) == 1 or base.isalnum()


def _is_enclosed(text: str) -> bool:
    if not (text.startswith("(") and text.endswith(")")):
        return False
    depth = 0
    for index, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if not depth:
            return index == len(text) - 1
    return False


def _shown(text: str | None) -> str:
    return " ".join((text or "").translate(_INVISIBLE).split())


# Office's math


def omml(element: Element) -> str:
    """An `m:oMath` or `m:oMathPara`, or any part of one."""
    write = _OMML.get(local_name(element))
    return write(element) if write else _omml_row(element)


def _omml_row(element: Element) -> str:
    """Neighbouring runs are one text; what has a form of its own is kept apart."""
    pieces: list[str] = []
    was_run = False
    for child in element:
        name = local_name(child)
        if name.endswith("Pr") or name in {"del", "moveFrom"}:
            continue
        piece = omml(child)
        if name == "r" and was_run and pieces:
            pieces[-1] += piece
        else:
            pieces.append(piece)
        was_run = name == "r"
    return joined(piece.strip() for piece in pieces)


def _part(element: Element, name: str) -> str:
    found = element.find(f"{{*}}{name}")
    return "" if found is None else _omml_row(found)


def _property(element: Element, name: str, default: str) -> str:
    """A value of the element's `…Pr`; an element that stands there without a value means none."""
    found = element.find(f"{{*}}{local_name(element)}Pr/{{*}}{name}")
    return default if found is None else attribute(found, "val")


def _omml_run(element: Element) -> str:
    return "".join(text.text or "" for text in element.iterfind("{*}t"))


def _omml_fraction(element: Element) -> str:
    over, under = _part(element, "num"), _part(element, "den")
    return f"({over}; {under})" if _property(element, "type", "") == "noBar" else fraction(over, under)


def _omml_scripts(element: Element) -> str:
    return scripted(_part(element, "e"), below=_part(element, "sub"), above=_part(element, "sup"))


def _omml_before(element: Element) -> str:
    return scripted("", below=_part(element, "sub"), above=_part(element, "sup")) + " " + _part(element, "e")


def _omml_nary(element: Element) -> str:
    sign = _property(element, "chr", "∫")
    return joined([scripted(sign, below=_part(element, "sub"), above=_part(element, "sup")), " " + _part(element, "e")])


def _omml_delimited(element: Element) -> str:
    inner = _property(element, "sepChr", "|").join(_omml_row(part) for part in element.iterfind("{*}e"))
    return f"{_property(element, 'begChr', '(')}{inner}{_property(element, 'endChr', ')')}"


def _omml_function(element: Element) -> str:
    argument = _part(element, "e")
    return _part(element, "fName") + (argument if _ARGUMENTS.match(argument) else f" {argument}")


def _omml_matrix(element: Element) -> str:
    return matrix([_omml_row(cell) for cell in row.iterfind("{*}e")] for row in element.iterfind("{*}mr"))


def _omml_limit(element: Element) -> str:
    mark = "below" if local_name(element) == "limLow" else "above"
    return scripted(_part(element, "e"), **{mark: _part(element, "lim")})


_OMML: dict[str, Callable[[Element], str]] = {
    "acc": lambda element: _part(element, "e") + _property(element, "chr", "\u0302"),
    "d": _omml_delimited,
    "eqArr": lambda element: "; ".join(_omml_row(part) for part in element.iterfind("{*}e")),
    "f": _omml_fraction,
    "func": _omml_function,
    "limLow": _omml_limit,
    "limUpp": _omml_limit,
    "m": _omml_matrix,
    "nary": _omml_nary,
    "oMathPara": lambda element: "; ".join(omml(part) for part in element.iterfind("{*}oMath")),
    "r": _omml_run,
    "rad": lambda element: root(_part(element, "e"), _part(element, "deg")),
    "sPre": _omml_before,
    "sSub": _omml_scripts,
    "sSubSup": _omml_scripts,
    "sSup": _omml_scripts,
}


# MathML


def mathml(element: Element) -> str:
    """A `math` element, or any part of one; annotations say the same again and are left out."""
    write = _MATHML.get(local_name(element))
    return write(element) if write else _mathml_row(element)


def _parts(element: Element) -> list[str]:
    return [mathml(child) for child in element if local_name(child)]


def _nth(element: Element, number: int) -> str:
    parts = _parts(element)
    return parts[number] if number < len(parts) else ""


def _mathml_row(element: Element) -> str:
    return joined(_parts(element))


def _mathml_operator(element: Element) -> str:
    text = _shown(element.text)
    return f"{text} " if text in {",", ";"} else text


def _mathml_scripts(element: Element) -> str:
    parts = [*_parts(element), "", "", ""]
    match local_name(element):
        case "msup" | "mover":
            return scripted(parts[0], above=parts[1])
        case "msub" | "munder":
            return scripted(parts[0], below=parts[1])
        case _:
            return scripted(parts[0], below=parts[1], above=parts[2])


def _mathml_fenced(element: Element) -> str:
    opening, closing = element.get("open", "("), element.get("close", ")")
    return f"{opening}{', '.join(_parts(element))}{closing}"


def _mathml_table(element: Element) -> str:
    return matrix((mathml(cell) for cell in row) for row in element if local_name(row) == "mtr")


_MATHML: dict[str, Callable[[Element], str]] = {
    "annotation": lambda _: "",
    "annotation-xml": lambda _: "",
    "mfenced": _mathml_fenced,
    "mfrac": lambda element: fraction(_nth(element, 0), _nth(element, 1)),
    "mi": lambda element: _shown(element.text),
    "mn": lambda element: _shown(element.text),
    "mo": _mathml_operator,
    "mover": _mathml_scripts,
    "mphantom": lambda _: "",
    "mroot": lambda element: root(_nth(element, 0), _nth(element, 1)),
    "ms": lambda element: f'"{_shown(element.text)}"',
    "msqrt": lambda element: root(_mathml_row(element)),
    "msub": _mathml_scripts,
    "msubsup": _mathml_scripts,
    "msup": _mathml_scripts,
    "mtable": _mathml_table,
    "mtext": lambda element: _shown(element.text),
    "munder": _mathml_scripts,
    "munderover": _mathml_scripts,
}
