"""Owns the translation of a user's words into an FTS5 query that can only be a list of words."""

import re

WORD = re.compile(r"[^\W_]+")
MAX_TERMS = 64

FUNCTION_WORDS = """
a about above after again all also am an and any are as at be because been before being below between both but
by can could did do does doing down during each few for from further had has have having he her here hers him his
how i if in into is it its itself just me more most my no nor not now of off on once only or other our out over
own same she should so some such than that the their them then there these they this those through to too under
until up very was we were what when where which while who whom why will with would you your
"""
STOP_WORDS = frozenset(FUNCTION_WORDS.split())


def match_expression(text: str) -> str:
    """Any of the text's words, each quoted; stop words only count when there is nothing else. Empty without words."""
    words = dict.fromkeys(WORD.findall(text.lower()))
    terms = [word for word in words if word not in STOP_WORDS] or list(words)
    return " OR ".join(f'"{term}"' for term in terms[:MAX_TERMS])
