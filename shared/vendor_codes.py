"""Tells which words of a vendor's answer may be shown: an error code of known words, and a request id.

A server writes into these fields what it likes, the text that it was sent included. So a code is shown only when all of
it is made of words that such codes are made of; what passes can repeat nothing that is not listed here.
"""

import re

LONGEST = 40
_FORM = re.compile(r"[a-z]+(?:[_-][a-z]+)*|[A-Z]+(?:_[A-Z]+)*|[A-Z][A-Za-z]*")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_PART = r"(?:[A-Za-z0-9]*[0-9][A-Za-z0-9]*|[a-f]+)"
_ID = re.compile(rf"(?=.{{1,64}}\Z)(?:req[_-])?{_PART}(?:-{_PART})*")
_WORDS = frozenset(
    """
    abort aborted acceleration access account active already api argument authentication authorization backend bad
    balance bandwidth batch billing body broken bucket busy byte bytes canceling cancelled cancelling cannot
    capacity card certificate client code completed concurrency conditional conflict connection connections content
    context convert create credential credentials credit cross current damaged data deadline decode denied
    dependency deployment deprecated did digest dimension disabled does down duplicate embedding empty ended
    endpoint enforced enrolled entity error exceeded exception exhausted exist exists expired fail failed failure
    feature field file files filter filtering finalizing flight forbidden format found frequent gateway gone granted
    hard header host id idempotency image implemented in incomplete incorrect index ineligible input insufficient
    interaction internal invalid invocation is json key large length limit limited line list lock long malformed
    many match max maximum method mismatch missing model moved must name namespace no not object of operation opt
    organization out output over overload overloaded parameter parsing payload payment per permanent permission
    permissions plan policy positive precondition processing progress prohibited project prompt protocol provider
    quota range rate reached ready redirect redirected region request requested requests required resource response
    retry safety schema security server service session shutdown signature size skewed slow spend spending status
    stopped storage store stream string such support supported suspended system task temporarily temporary throttled
    throttling tier time timed timeout to token tokens too transaction transient type unauthorized unavailable
    unexpected unknown unprocessable unrecognized unsupported unused upgrade upstream url usage use used user
    validate validating validation value version violation window write wrong
    """.split()
)


def shown_code(code: object) -> str:
    """The code when it is one that can only be a code, and otherwise nothing."""
    if not isinstance(code, str) or len(code) > LONGEST or not _FORM.fullmatch(code):
        return ""
    words = [word.lower() for word in _WORD.findall(code)]
    return code if _WORDS.issuperset(words) else ""


def shown_id(request_id: object) -> str:
    """A request id when it has the form of one: no words, but letters and digits that a machine has made."""
    return request_id if isinstance(request_id, str) and _ID.fullmatch(request_id) else ""
