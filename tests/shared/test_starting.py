"""What is loaded and written when it is used: stand-ins go no further than the import that they are for."""

import importlib
import subprocess
import sys

PROGRAM = """
import sys
from embedmill.shared.starting import loaded_when_used
with loaded_when_used({"wave": ("open",), "xml.dom.minidom": ()}):
    import wave, xml.dom.minidom
    opened, minidom = wave.open, xml.dom.minidom
assert not {"wave", "xml.dom.minidom"} & sys.modules.keys()
import wave as really
assert wave is not really and wave.Error is really.Error
try:
    opened("/dev/null", "rb")
except EOFError:
    pass
assert minidom.Document is __import__("xml.dom.minidom").dom.minidom.Document

from embedmill.shared.starting import absent, start_lightly
with absent("colorsys"):
    try:
        import colorsys
    except ImportError:
        pass
    else:
        raise AssertionError
import colorsys

start_lightly()
start_lightly()
import gc
assert gc.get_threshold()[0] == 200_000
gc.collect()
assert gc.get_threshold()[0] == 50_000 and not gc.callbacks, "a command that goes on keeps no more garbage than workers"
import dataclasses
@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    street: str
    number: int = 1
@dataclasses.dataclass(order=True)
class Counted:
    number: int
    _: dataclasses.KW_ONLY
    seen: list = dataclasses.field(default_factory=list, compare=False)
here, there = Place("Quay"), Place("Quay", number=2)
assert (repr(here), repr(there)) == ("Place(street='Quay', number=1)", "Place(street='Quay', number=2)")
assert here == Place("Quay") != there and {here: 1}[Place("Quay")] == 1 and here not in {there}
assert Counted(1, seen=[1]) == Counted(1) < Counted(2) and Counted(1) != Place("Quay")
@dataclasses.dataclass(frozen=True, slots=True)
class House(Place):
    names: tuple = dataclasses.field(default_factory=tuple)
    def __post_init__(self):
        object.__setattr__(self, "street", self.street.title())
@dataclasses.dataclass(frozen=True)
class Loose(Place):
    floor: int = 0
class Named(House):
    def __init__(self, name):
        super().__init__("lane", 3, names=(name,))
first = House.__init__
assert [House("quay", names=("a",)), House("quay", 1, ("a",))] == [House(street="Quay", names=("a",))] * 2
assert (Named("b").street, Named("b").number, Named("b").names) == ("Lane", 3, ("b",))
assert Loose("Quay", floor=2).floor == 2 and Loose("Quay").floor == 0 and Loose("Quay").street == "Quay"
assert House.__init__ is not first and House.__init__.__qualname__ == "House.__init__", "it is written once"
again = House.__new__(House)
first(again, "kay")
assert again == House("kay")
for step in range(1, 40):
    @dataclasses.dataclass(frozen=True, slots=True)
    class Raced:
        number: int
    left = step
    def count(*_):
        global left
        left -= 1
        if not left:
            sys.setprofile(None)
            Raced(2)
    sys.setprofile(count)
    try:
        raced = Raced(1)
    finally:
        sys.setprofile(None)
    assert raced.number == 1, "another thread made the first object meanwhile"
for wrong in (lambda: House(), lambda: House("Quay", 1, (), 2), lambda: Place("Quay", nothing=1)):
    try:
        wrong()
    except TypeError as error:
        assert "__init__()" in str(error)
    else:
        raise AssertionError
for change in (lambda: setattr(here, "number", 3), lambda: delattr(here, "number")):
    try:
        change()
    except dataclasses.FrozenInstanceError as error:
        assert "number" in str(error)
    else:
        raise AssertionError
"""


def test_modules_are_loaded_and_methods_of_dataclasses_written_when_they_are_used_and_nobody_sees_a_difference() -> (
    None
):
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)


def test_sqlalchemy_finds_what_it_was_kept_from_loading() -> None:
    concurrency = importlib.import_module("sqlalchemy.util.concurrency")
    assert concurrency.is_exit_exception(KeyboardInterrupt())
    assert not concurrency.is_exit_exception(ValueError())
