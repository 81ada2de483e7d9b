"""The options that say how sources are read, on every command that reads some."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, get_origin

import typer

from embedmill.producers.sources.options import Option, gather_options, list_options

PLACE = "how"


def reads_sources(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command, in the place of its parameter `how`, every option of sources; it is called with their groups."""
    declared = {name: said for _, name, said, _ in list_options()}

    @wraps(command)
    def called(**given: Any) -> None:
        values = {name: _value(said, given.pop(name)) for name, said in declared.items()}
        command(**given, **{PLACE: gather_options({n: value for n, value in values.items() if value is not None})})

    signature = inspect.signature(command, eval_str=True)
    parameters = list(signature.parameters.values())
    at = next(place for place, parameter in enumerate(parameters) if parameter.name == PLACE)
    parameters[at : at + 1] = [_parameter(name, said) for name, said in declared.items()]
    # Typer calls by keyword, and one without a default may follow one with it then.
    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    vars(called)["__signature__"] = signature.replace(parameters=parameters)
    called.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": None}
    return called


def _parameter(name: str, said: Option) -> inspect.Parameter:
    shown = typer.Option(*said.flag.split("/"), help=said.help, metavar=said.metavar)
    default: Any = {bool: False}.get(said.kind)
    if get_origin(said.kind) is list:
        default = []
    annotation = said.kind if default is not None else said.kind | None
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=Annotated[annotation, shown])


def _value(said: Option, given: Any) -> Any:
    """What was given, as its group has it; None where nothing was."""
    if given in (None, []):
        return None
    return said.given(given) if said.given else given
