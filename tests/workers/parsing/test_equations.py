"""Equations keep fractions, exponents and limits in one line, whichever language they are written in."""

import pytest

from embedmill.workers.parsing.equations import mathml, omml
from embedmill.workers.parsing.scripts import SUB, SUPER, script
from embedmill.workers.parsing.xml import parse_xml

MATH = "http://schemas.openxmlformats.org/officeDocument/2006/math"


def run(text: str) -> str:
    return f"<m:r><m:t>{text}</m:t></m:r>"


def office(inner: str) -> str:
    return omml(parse_xml(f'<m:oMath xmlns:m="{MATH}">{inner}</m:oMath>'.encode()))


def web(inner: str) -> str:
    return mathml(parse_xml(f'<math xmlns="http://www.w3.org/1998/Math/MathML">{inner}</math>'.encode()))


SCRIPTS = f"<m:sSubSup><m:e>{run('x')}</m:e><m:sub>{run('i')}</m:sub><m:sup>{run('n+1')}</m:sup></m:sSubSup>"
SUM = (
    f'<m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr><m:sub>{run("i=1")}</m:sub><m:sup>{run("n")}</m:sup>'
    f"<m:e>{run('k')}</m:e></m:nary>"
)
MATRIX = (
    f"<m:m><m:mr><m:e>{run('1')}</m:e><m:e>{run('0')}</m:e></m:mr>"
    f"<m:mr><m:e>{run('0')}</m:e><m:e>{run('1')}</m:e></m:mr></m:m>"
)
INNER = f"<m:sSub><m:e>{run('i')}</m:e><m:sub>{run('j')}</m:sub></m:sSub>"
NESTED = f"<m:sSub><m:e>{run('x')}</m:e><m:sub>{INNER}</m:sub></m:sSub>"
WEB_SUM = "<munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover><mi>i</mi>"
FRACTION = f"<m:f><m:num>{run('a+b')}</m:num><m:den>{run('2c')}</m:den></m:f>"


@pytest.mark.parametrize(
    ("inner", "line"),
    [
        (run("E=") + FRACTION, "E=(a+b)/(2c)"),
        (FRACTION + run("d"), "(a+b)/(2c) d"),
        (f"<m:sSup><m:e>{run('c')}</m:e><m:sup>{run('2')}</m:sup></m:sSup>", "c^2"),
        (SCRIPTS, "x_i^(n+1)"),
        (NESTED, "x_(i_j)"),
        (f"<m:rad><m:deg/><m:e>{run('x')}</m:e></m:rad>", "sqrt(x)"),
        (f"<m:rad><m:deg>{run('3')}</m:deg><m:e>{run('x')}</m:e></m:rad>", "root(3, x)"),
        (SUM, "∑_(i=1)^n k"),
        (f'<m:d><m:dPr><m:begChr m:val="["/><m:endChr m:val="]"/></m:dPr><m:e>{run("a")}</m:e></m:d>', "[a]"),
        (MATRIX, "[1, 0; 0, 1]"),
        (f"<m:func><m:fName>{run('sin')}</m:fName><m:e>{run('x')}</m:e></m:func>", "sin x"),
    ],
)  # fmt: skip
def test_office_equations_in_a_line(inner: str, line: str) -> None:
    assert office(inner) == line


@pytest.mark.parametrize(
    ("inner", "line"),
    [
        ("<mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mrow><mn>2</mn><mi>c</mi></mrow></mfrac>", "(a+b)/(2 c)"),
        ("<msup><mi>x</mi><mn>2</mn></msup><mo>+</mo><mn>1</mn>", "x^2+1"),
        ("<msup><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mn>2</mn></msup>", "(a+b)^2"),
        ("<msub><mi>H</mi><mn>2</mn></msub><mi>O</mi>", "H_2 O"),
        ("<msqrt><mi>x</mi><mo>+</mo><mn>1</mn></msqrt>", "sqrt(x+1)"),
        (WEB_SUM, "∑_(i=1)^n i"),
        ("<mi>f</mi><mo>&#x2061;</mo><mo>(</mo><mi>x</mi><mo>)</mo>", "f(x)"),
        ("<semantics><mi>x</mi><annotation encoding='TeX'>x^2</annotation></semantics>", "x"),
    ],
)  # fmt: skip
def test_equations_of_web_pages_in_a_line(inner: str, line: str) -> None:
    assert web(inner) == line


@pytest.mark.parametrize(
    ("mark", "text", "before", "written"),
    [
        (SUPER, "-3", "10", "^-3"), (SUB, "2", "H", "_2"), (SUPER, "n+1", "x", "^(n+1)"), (SUPER, "st", "the 1", "st"),
        (SUPER, "[4]", "claim", "[4]"), (SUPER, "1", "", "1"), (SUPER, "2 ", "m", "^2 "), (SUB, "max", "v", "_max"),
    ],
)  # fmt: skip
def test_scripts_stay_apart_from_their_base(mark: str, text: str, before: str, written: str) -> None:
    assert script(mark, text, before) == written
