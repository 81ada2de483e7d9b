"""A model that divides questions as a test writes it down."""

import json

from embedmill.retrieval.understanding.asking import Adviser
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.metering import FreeMeter
from embedmill.shared.providers.models.base import ModelAnswer
from tests.retrieval.grading.judge import Scripted, ScriptedModel

Said = str | ModelAnswer | EmbedmillError


def listing(*subqueries: object) -> str:
    return json.dumps({"subqueries": list(subqueries)})


def divider(*said: Said) -> tuple[Adviser, Scripted]:
    """A divider that says one thing after the other, and the last one ever after; and what it was asked."""
    left: list[Said] = list(said)
    script = Scripted(lambda *_: left.pop(0) if len(left) > 1 else left[0])
    return Adviser(ScriptedModel(script), FreeMeter()), script
