"""Owns the words of mdoc: macros within a line that mark options, arguments and names."""

from embedmill.workers.parsing.roff_words import arguments

_CLOSING = frozenset(". , : ; ) ] ? !".split())
_OPENING = frozenset("( [".split())
_AROUND = {
    "Op": ("[", "]"), "Oo": ("[", ""), "Oc": ("]", ""), "Dq": ("“", "”"), "Qq": ('"', '"'), "Sq": ("‘", "’"),
    "Ql": ("‘", "’"), "Pq": ("(", ")"), "Bq": ("[", "]"), "Brq": ("{", "}"), "Aq": ("<", ">"),
}  # fmt: skip
_PLAIN = (
    "Ar Cm Em Sy Li Pa Ev Dv Va Vt Ft Fa Fn Ic Er Ad An No Tn Sx Lk Mt Ms Nm Nd Xr Fl Xo Xc Ns Pf Bx Ux St Rv Ex Dl D1 "
    "Do Dc So Sc Po Pc Qo Qc Bo Bc"
)
_WORDS = frozenset(_PLAIN.split()) | _AROUND.keys()


class Mdoc:
    """Knows the name of what the page is about, which its macro says again and again."""

    def __init__(self) -> None:
        self._name = ""

    def line(self, name: str, rest: str) -> str | None:
        """What a line that begins with a macro says; None where it is no macro of words."""
        return self.words(f"{name} {rest}") if name in _WORDS else None

    def words(self, text: str) -> str:
        out: list[str] = []
        ends: list[str] = []
        is_glued, macro, count = False, "", 0
        words = arguments(text)
        behind = ""
        while len(words) > 1 and words[-1] in _CLOSING and _AROUND.keys() & set(words):
            behind = words.pop() + behind
        for word in words:
            if word in _WORDS:
                if macro == "Fl" and not count:
                    out.append("-")
                elif macro == "Nm" and not count and self._name:
                    out.append(self._name)
                macro, count = word, 0
                if word in _AROUND:
                    before, after = _AROUND[word]
                    out.append(before)
                    is_glued = bool(after) or word == "Oo"
                    ends.append(after)
                elif word == "Ns":
                    is_glued = True
                continue
            shown = self._shown(macro, word, count)
            count += 1
            if out and (is_glued or word in _CLOSING or (macro == "Xr" and count == 2)):
                out[-1] += shown
            else:
                out.append(shown)
            is_glued = word in _OPENING or (macro == "Pf" and count == 1)
        if macro == "Nm" and not count and self._name:
            out.append(self._name)
        elif macro in ("Ar", "Fl") and not count:
            out.append("file ..." if macro == "Ar" else "-")
        closing = "".join(reversed(ends))
        return (" ".join(out) + closing + behind).replace("[ ", "[").replace(" ]", "]")

    def _shown(self, macro: str, word: str, count: int) -> str:
        if word in _CLOSING or word in _OPENING:
            return self._name + word if macro == "Nm" and not count and word in _CLOSING and self._name else word
        if macro == "Fl":
            return f"-{word}"
        if macro == "Xr" and count == 1:
            return f"({word})"
        if macro == "Nm" and not self._name:
            self._name = word
        return f"– {word}" if macro == "Nd" and not count else word
