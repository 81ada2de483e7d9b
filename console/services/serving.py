"""What every service asks of whoever calls it, declared where the service is, so that all doors inherit it.

    @serves("documents.show", Right.READ, in_collection())
    def show_document(runtime: Runtime, name: str, *, collection: str | None = None) -> DocumentReport:

The right comes from the caller's role. The scope tells which collection a call is about; one that the caller does not
reach is as good as missing, and is refused in the same words. A service that is not made for callers who read only some
access levels of a collection (`filters=False`) refuses them. What a service calls of others is its own affair.
"""

import inspect
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import cached_property, update_wrapper
from typing import Any, Concatenate, ParamSpec, TypeVar

from embedmill.console.services import reach
from embedmill.shared.errors import AccessDenied
from embedmill.shared.privacy.principals import Principal, Right
from embedmill.shared.runtime import Runtime

P = ParamSpec("P")
T = TypeVar("T")

END = object()
DECLARED = "declared_service"
"""The attribute of a function that has its `Service`."""


@dataclass(frozen=True)
class Service:
    """What a function asks: a right, which collection it is about, and whether it keeps to access levels."""

    function: Callable[..., Any]
    action: str
    right: Right
    scope: reach.Scope
    filters: bool

    @cached_property
    def _signature(self) -> inspect.Signature:
        return inspect.signature(self.function)

    def call(self, runtime: Runtime, *given: Any, **named: Any) -> Any:
        """The function's answer to a caller who may have it; raises AccessDenied, NotFound."""
        if runtime.is_serving:
            return self.function(runtime, *given, **named)
        principal = runtime.principal
        bound = self._signature.bind(runtime, *given, **named)
        bound.apply_defaults()
        self._require(principal)
        self.scope(runtime, principal, bound.arguments)
        runtime.is_serving = True
        try:
            with runtime.acting_for(principal):
                answer = self.function(*bound.args, **bound.kwargs)
        finally:
            runtime.is_serving = False
        return _streamed(runtime, principal, answer) if isinstance(answer, Generator) else answer

    def _require(self, principal: Principal) -> None:
        if not principal.may(self.right):
            raise AccessDenied(f"{principal.name} is {_article(principal.role)}, who may not do this ({self.action})")
        if not self.filters and not principal.reads_every_level:
            raise AccessDenied(f"{self.action} is for those who read every access level")


def _streamed(runtime: Runtime, principal: Principal, steps: Generator[Any, Any, Any]) -> Iterator[Any]:
    """What a service gives piece by piece, each made for the same caller, whoever else is served meanwhile."""
    try:
        while True:
            with runtime.acting_for(principal):
                piece = next(steps, END)
            if piece is END:
                return
            yield piece
    finally:
        steps.close()


def _article(role: str) -> str:
    return f"{'an' if role[0] in 'aeiou' else 'a'} {role}"


def serves(
    action: str, right: Right, scope: reach.Scope, *, filters: bool = False
) -> Callable[[Callable[Concatenate[Runtime, P], T]], Callable[Concatenate[Runtime, P], T]]:
    """Declares a service; `action` is what it is called in refusals and in the audit."""

    def declare(function: Callable[Concatenate[Runtime, P], T]) -> Callable[Concatenate[Runtime, P], T]:
        service = Service(function, action, right, scope, filters)

        def served(runtime: Runtime, /, *given: P.args, **named: P.kwargs) -> T:
            answer: T = service.call(runtime, *given, **named)
            return answer

        update_wrapper(served, function)
        setattr(served, DECLARED, service)
        return served

    return declare
