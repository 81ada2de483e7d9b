"""Owns subtitles (SRT, WebVTT, ASS, SBV): cues joined to sentences, each with the time at which its first begins."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

from embedmill.workers.parsing.draft import Draft, clean

LONGEST_PAUSE = 5.0
"""In seconds: a longer one ends a sentence."""

LONGEST_CHARS = 600
"""Speech that is written without any stop is cut here."""

_TIME = r"(?:(\d+):)?(\d{1,2}):(\d{2})[,.](\d{1,3})"
_TIMES = re.compile(rf"[ \t]*{_TIME}(?:[ \t]+-->[ \t]+|,){_TIME}.*")
# The fields of a line of SubStation Alpha: layer, begin, end, style, speaker, three margins, effect, text.
_DIALOGUE = re.compile(rf"Dialogue:[^,]*,{_TIME},{_TIME},[^,]*,([^,]*),(?:[^,]*,){{4}}(.*)")
_DRAWING = re.compile(r"\\p[1-9]")
_SCRIPTED = re.compile(r"\{[^{}]*\}")
_BLANK = re.compile(r"\n[ \t]*\n+")
_SPEAKER = re.compile(r"<v(?:\.[^\s<>]*+)?[ \t]++([^<>]+)>")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<\d[\d:.]*>|\{\\[^{}]*\}")
_END = re.compile(r"[.?!…。！？♪][\"'”’»)\]]*\Z")
_NEW_SPEAKER = re.compile(r"(?m)^[ \t]*(?:[-–—][ \t]*(?=\S)|>>[ \t]*)")


@dataclass(slots=True)
class _Speech:
    """What is said by one person from `begin` to `end`, in seconds."""

    begin: float
    end: float
    speaker: str
    text: str

    @property
    def shown(self) -> str:
        """With its time and speaker: `[00:01:05] Ann: Good evening.`."""
        minutes, seconds = divmod(int(self.begin), 60)
        hours, minutes = divmod(minutes, 60)
        who = f"{self.speaker}: " if self.speaker else ""
        return f"[{hours:02}:{minutes:02}:{seconds:02}] {who}{self.text}"


def read(data: bytes, draft: Draft) -> None:
    """A cue that repeats the end of the one before it, as rolling captions do, is said once."""
    before: _Speech | None = None
    for cue in _cues(clean(draft.decode(data))):
        if before is None:
            before = cue
        elif _goes_on(before, cue):
            before.text = _joined(before.text, cue.text)
            before.end = cue.end
        else:
            draft.paragraph(before.shown)
            before = cue
    if before is not None:
        draft.paragraph(before.shown)


def _goes_on(before: _Speech, cue: _Speech) -> bool:
    if before.text.endswith(cue.text) and cue.begin - before.end <= LONGEST_PAUSE:
        return True
    if cue.speaker != before.speaker or cue.begin - before.end > LONGEST_PAUSE:
        return False
    return len(before.text) < LONGEST_CHARS and _END.search(before.text) is None


def _joined(before: str, text: str) -> str:
    if before.endswith(text):
        return before
    return f"{before} {text}"


def _cues(text: str) -> Iterator[_Speech]:
    if "\n[Events]" in f"\n{text}":
        yield from _scripted(text)
        return
    for block in _BLANK.split(text.lstrip("\ufeff")):
        lines = block.strip("\n").split("\n")
        at = next((number for number, line in enumerate(lines[:2]) if _TIMES.match(line)), None)
        if at is not None:
            yield from _speeches(lines[at], "\n".join(lines[at + 1 :]))


def _speeches(times: str, text: str) -> Iterator[_Speech]:
    match = _TIMES.match(times)
    if match is None:
        return
    begin, end = _seconds(*match.groups()[:4]), _seconds(*match.groups()[4:])
    for speaker, said in _by_speaker(text):
        for part in _NEW_SPEAKER.split(said):
            if plain := " ".join(unescape(_TAG.sub("", part)).split()):
                yield _Speech(begin, end, speaker, plain)


def _scripted(text: str) -> Iterator[_Speech]:
    """What is said, without what is drawn, in the order of its times."""
    found = [_DIALOGUE.fullmatch(line.strip()) for line in text.split("\n") if line.startswith("Dialogue:")]
    lines = [match for match in found if match and not any(map(_DRAWING.search, _SCRIPTED.findall(match[10])))]
    for match in sorted(lines, key=lambda each: _seconds(*each.groups()[:4])):
        said = _SCRIPTED.sub("", match[10]).replace("\\N", " ").replace("\\n", " ").replace("\\h", " ")
        if plain := " ".join(said.split()):
            yield _Speech(_seconds(*match.groups()[:4]), _seconds(*match.groups()[4:8]), match[9].strip(), plain)


def _by_speaker(text: str) -> Iterator[tuple[str, str]]:
    first, *rest = _SPEAKER.split(text)
    yield "", first
    yield from ((speaker.strip(), said) for speaker, said in zip(rest[::2], rest[1::2], strict=True))


def _seconds(hours: str | None, minutes: str, seconds: str, thousandths: str) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int(thousandths) / 1000
