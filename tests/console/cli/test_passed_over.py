"""What a scan passed over is shown by reason, with the paths that people know, harmless on every terminal."""

from dataclasses import dataclass

import pytest

from embedmill.console.cli.passed_over import Noted, name_place, print_passed_over
from embedmill.console.services.noticing import Noticed
from embedmill.producers.sources.base import Problem, Remark, RemarkKind, Skipped
from embedmill.shared.left_out.names import LeftOut
from embedmill.shared.notes import Note, Reason

ROOT = "file:///data/docs"


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        (f"{ROOT}/a/b%20c.md", "a/b c.md"),
        (ROOT, "docs"),
        ("file:///data/docs2/a.md", "/data/docs2/a.md"),
        (f"{ROOT}/%1B%5B2Jx%0Ay%FF", r"\x1b[2Jx\ny\xff"),
        ("row \u202e1", r"row \u202e1"),
        ("stdin:0123", "the list on standard input"),
        ("given:0123", "the documents that were given"),
        ("file:///other", "/other"),
    ],
)
def test_a_place_is_relative_to_its_source_and_harmless(uri: str, shown: str) -> None:
    assert name_place(uri, [ROOT]) == shown


def test_a_source_that_is_the_root_of_the_machine_has_relative_places() -> None:
    assert name_place("file:///etc/motd", ["file:///"]) == "etc/motd"


@dataclass(frozen=True, slots=True)
class Report:
    sources: list[str]
    notes: list[Note]
    reasons: list[Reason]


def report(*items: Skipped | Problem | Remark) -> Noted:
    noticed = Noticed()
    for item in items:
        noticed.add(item)
    return Report([ROOT], noticed.notes, noticed.reasons())


def test_what_was_left_out_is_one_line_and_other_reasons_are_one_each(capsys: pytest.CaptureFixture[str]) -> None:
    print_passed_over(
        report(
            *(Skipped(f"{ROOT}/{name}", LeftOut.HIDDEN) for name in (".a", ".b", ".c")),
            *(Skipped(f"{ROOT}/{name}", LeftOut.DEPENDENCIES) for name in ("node_modules", "x/node_modules/", ".venv")),
            Skipped(f"{ROOT}/id_rsa", LeftOut.PRIVATE_KEY),
            *(Skipped(f"{ROOT}/{n}.png", "an image by its name (.png) holds no text") for n in range(5)),
            *(Problem(ROOT + "/r.jsonl", "no 'text'", line) for line in (3, 4)),
            Remark(ROOT, "no file in it matches --include '*.x'", RemarkKind.UNMET),
            Remark(ROOT, "3 CSV files were read as one document each", RemarkKind.READ),
        )
    )
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "left out: 3 hidden, 3 dependency or build folders (node_modules, .venv), 1 private key; --hidden takes them",
        "skipped 5: an image by its name (.png) holds no text: 0.png, 1.png, 2.png and 2 more",
        "docs: 3 CSV files were read as one document each",
    ]
    assert said.err.splitlines() == [
        "warning: r.jsonl:3, r.jsonl:4: no 'text'",
        "warning: docs: no file in it matches --include '*.x'",
    ]


def test_a_folder_of_version_control_alone_promises_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    print_passed_over(report(Skipped(f"{ROOT}/.git", LeftOut.VERSION_CONTROL)))
    assert capsys.readouterr().out == "left out: 1 folder of version control\n"


def test_many_reasons_are_cut(capsys: pytest.CaptureFixture[str]) -> None:
    print_passed_over(report(*(Problem(ROOT, f"reason {n}") for n in range(30))))
    assert capsys.readouterr().err.splitlines()[-1] == "warning: and 10 more reasons; --json has them all"
