"""Owns what lies on a page without being its text: the values filled into a form's fields, and readers' comments."""

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from embedmill.workers.parsing.draft import one_line
from embedmill.workers.parsing.pdf.calls import address, by_address

MOST = 2_000
"""Annotations of a page that are looked at."""

BOXES = ("[ ]", "[x]")

_HIDDEN = 2 | 32  # bits 2 (Hidden) and 6 (NoView) of an annotation's flags, ISO 32000-1, table 165
_PASSWORD = 1 << 13  # bit 14 of a text field's flags, ISO 32000-1, table 228


@dataclass(frozen=True, slots=True)
class Field:
    """A filled field as people see it, with the name that its form tells readers. `box`: left, bottom, right, top."""

    name: str
    value: str
    box: tuple[float, float, float, float]

    @property
    def is_box(self) -> bool:
        """Whether it is ticked or not, instead of filled in."""
        return self.value in BOXES


@dataclass(frozen=True, slots=True)
class Comment:
    """What a reader wrote on the page; `author` may be empty."""

    author: str
    text: str


def read_annotations(form: Any, page: Any) -> Iterator[Field | Comment]:
    """The filled fields and the comments of a page, in their stored order. `form` and `page` are pdfium's handles."""
    from pypdfium2 import raw

    subtype_of = by_address("FPDFAnnot_GetSubtype", ctypes.c_int)
    for index in range(min(raw.FPDFPage_GetAnnotCount(page), MOST)):
        annotation = raw.FPDFPage_GetAnnot(page, index)
        if not annotation:
            continue
        try:
            subtype = subtype_of(address(annotation))
            # Of most pages all are links.
            if subtype in (raw.FPDF_ANNOT_LINK, raw.FPDF_ANNOT_POPUP):
                continue
            if not raw.FPDFAnnot_GetFlags(annotation) & _HIDDEN and (found := _read(raw, form, annotation, subtype)):
                yield found
        finally:
            raw.FPDFPage_CloseAnnot(annotation)


def _read(raw: Any, form: Any, annotation: Any, subtype: int) -> Field | Comment | None:
    if subtype == raw.FPDF_ANNOT_WIDGET:
        return _read_field(raw, form, annotation) if form else None
    text = _string(raw.FPDFAnnot_GetStringValue, annotation, b"Contents").strip()
    return Comment(_string(raw.FPDFAnnot_GetStringValue, annotation, b"T").strip(), text) if text else None


def _read_field(raw: Any, form: Any, annotation: Any) -> Field | None:
    value = one_line(_value(raw, form, annotation))
    if not value:
        return None
    box = raw.FS_RECTF()
    raw.FPDFAnnot_GetRect(annotation, box)
    name = _string(raw.FPDFAnnot_GetFormFieldAlternateName, form, annotation).strip()
    return Field(name, value, (box.left, min(box.bottom, box.top), box.right, max(box.bottom, box.top)))


def _value(raw: Any, form: Any, annotation: Any) -> str:
    match raw.FPDFAnnot_GetFormFieldType(form, annotation):
        case raw.FPDF_FORMFIELD_CHECKBOX | raw.FPDF_FORMFIELD_RADIOBUTTON:
            return BOXES[raw.FPDFAnnot_IsChecked(form, annotation)]
        case raw.FPDF_FORMFIELD_COMBOBOX | raw.FPDF_FORMFIELD_LISTBOX:
            return _chosen(raw, form, annotation) or _string(raw.FPDFAnnot_GetFormFieldValue, form, annotation)
        case raw.FPDF_FORMFIELD_TEXTFIELD if not raw.FPDFAnnot_GetFormFieldFlags(form, annotation) & _PASSWORD:
            return _string(raw.FPDFAnnot_GetFormFieldValue, form, annotation)
    return ""


def _chosen(raw: Any, form: Any, annotation: Any) -> str:
    """The labels of the options that are chosen."""
    options = range(min(max(raw.FPDFAnnot_GetOptionCount(form, annotation), 0), MOST))
    chosen = (option for option in options if raw.FPDFAnnot_IsOptionSelected(form, annotation, option))
    return ", ".join(_string(raw.FPDFAnnot_GetOptionLabel, form, annotation, option) for option in chosen)


def _string(function: Callable[..., int], *arguments: Any) -> str:
    """What one of pdfium's functions writes into a buffer, as UTF-16 with a closing NUL."""
    size = function(*arguments, None, 0)
    if size <= 2:
        return ""
    buffer = (ctypes.c_ushort * (size // 2))()
    function(*arguments, buffer, size)
    return bytes(buffer)[: size - 2].decode("utf-16-le", "replace")
