"""What is loaded when it is used: stand-ins go no further than the import that they are for."""

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
"""


def test_a_module_is_loaded_when_something_of_it_is_used_and_nobody_else_sees_a_stand_in() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)


def test_sqlalchemy_finds_what_it_was_kept_from_loading() -> None:
    concurrency = importlib.import_module("sqlalchemy.util.concurrency")
    assert concurrency.is_exit_exception(KeyboardInterrupt())
    assert not concurrency.is_exit_exception(ValueError())
