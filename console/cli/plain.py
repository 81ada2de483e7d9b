"""Options and arguments that are plain to see; Typer would have pydantic read every one.

What is not plain, and all that is wrong, is Typer's to read and to refuse.
"""

from enum import Enum
from typing import Any, get_args, get_origin

from typer._coercion import RuntimeParam, TypeDescriptor, build_runtime_param

from embedmill.shared.plain import UNREAD, Bounds, read_plain


def read_plainly(command: Any) -> None:
    """Have a command, and those under it, read what is plain without pydantic."""
    for parameter in command.params:
        _with_plain_values(parameter)
    make_help = command.get_help_option
    command.get_help_option = lambda context: _with_plain_values(make_help(context))
    for below in getattr(command, "commands", {}).values():
        read_plainly(below)


def _with_plain_values(parameter: Any) -> Any:
    if (descriptor := getattr(parameter, "type_descriptor", None)) is not None:
        parameter._runtime_param = PlainParam(descriptor)  # noqa: SLF001 - Typer names no other place
    return parameter


class PlainParam(RuntimeParam):
    """Reads the values of one option or argument."""

    _descriptor: TypeDescriptor

    def __init__(self, descriptor: TypeDescriptor) -> None:
        super().__init__(descriptor.parameter_info, descriptor.annotation)
        object.__setattr__(self, "_descriptor", descriptor)

    def _coerce_value(self, value: Any, param: Any, ctx: Any) -> Any:
        read = UNREAD if self.parameter_info.parser else self._read(self.annotation, value)
        if read is UNREAD:
            return build_runtime_param(self._descriptor).coerce(value, param=param, ctx=ctx)
        return read

    def _read(self, kind: Any, value: Any) -> Any:
        if get_origin(kind) is list and isinstance(value, list | tuple):
            read = [self._read(get_args(kind)[0], each) for each in value]
            return UNREAD if UNREAD in read else read
        if isinstance(kind, type) and issubclass(kind, Enum):
            return next((choice for choice in kind if value in (choice, choice.value)), UNREAD)
        if kind is str or kind is int or kind is float:
            return read_plain(kind, value, Bounds(self.parameter_info.min, self.parameter_info.max))
        return value if kind is bool and isinstance(value, bool) else UNREAD
