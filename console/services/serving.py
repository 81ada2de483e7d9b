"""What every service asks of whoever calls it, declared where the service is, so that all doors inherit it.

    @serves("documents.show", Right.READ, in_collection())
    def show_document(runtime: Runtime, name: str, *, collection: str | None = None) -> DocumentReport:

The right comes from the caller's role. The scope tells which collection a call is about; one that the caller does not
reach is as good as missing, and is refused in the same words. A service that is not made for callers who read only some
access levels of a collection (`filters=False`) refuses them. What a service calls of others is its own affair.

Every call is on record before its answer is given, and every change before it is made (`Trace`): one that cannot be
recorded is not made, and its answer is not given.
"""

import inspect
from collections.abc import Callable, Generator, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property, partial, update_wrapper
from types import MappingProxyType
from typing import Any, Concatenate, ParamSpec, TypeVar

from embedmill.console.services import reach
from embedmill.console.services.telling import tell_answer, tell_arguments
from embedmill.shared.access.principals import Principal, Right, Role
from embedmill.shared.audit.trail import AuditEntry, Trail
from embedmill.shared.db.audit import INSTALLATION
from embedmill.shared.encoding import is_storable
from embedmill.shared.errors import AccessDenied, EmbedmillError, NotFound
from embedmill.shared.runtime import Runtime

P = ParamSpec("P")
T = TypeVar("T")

WHOLE_JOBS = "its numbers count documents of every level"
"""Why a service about jobs is not for those who read some access levels only."""
END = object()
DECLARED = "declared_service"
"""The attribute of a function that has its `Service`."""
State = Callable[[Runtime, Mapping[str, Any]], Any]
"""What a change changes, as it stands: settings, or the state of a job."""


class Trace(Enum):
    """What the audit has of a call."""

    NOTHING = "nothing"
    """It looks at numbers of our own: jobs, queues, money."""
    READ = "read"
    """A record before its answer is given; of what comes in pieces, one before the first and one at the end."""
    EACH = "each"
    """A record before each piece of its answer is given."""
    CHANGE = "change"
    """A record before anything is done, and one of what came of it."""


@dataclass(frozen=True)
class Service:
    """What a function asks: a right, which collection it is about, and whether it keeps to access levels.

    `whole` says why it does not, to viewers who are refused. `told` are arguments that the audit has, and `state` what
    it compares before and after a change. Whoever gives an argument `on_…` to a read hears pieces before it is whole.
    """

    function: Callable[..., Any]
    action: str
    right: Right
    scope: reach.Scope
    filters: bool
    trace: Trace
    told: Sequence[str]
    state: State | None
    whole: str

    @cached_property
    def _signature(self) -> inspect.Signature:
        return inspect.signature(self.function)

    def call(self, runtime: Runtime, *given: Any, **named: Any) -> Any:
        """The function's answer to a caller who may have it; raises AccessDenied, NotFound, AuditUnwritten."""
        if runtime.is_serving:
            return self.function(runtime, *given, **named)
        bound = self._signature.bind(runtime, *given, **named)
        bound.apply_defaults()
        principal, chain = self._admit(runtime, bound.arguments)
        serve = partial(self._serve, runtime, principal, bound)
        if self.trace is Trace.NOTHING or not runtime.trail.is_kept:
            return serve()
        recorder = _Recorder(runtime.trail, chain, principal, self.action)
        asked = tell_arguments(bound.arguments, self.told, runtime.trail)
        if self.trace is Trace.CHANGE:
            look = partial(self.state, runtime, bound.arguments) if self.state else None
            return recorder.change(serve, asked, look)
        if any(name.startswith("on_") and value is not None for name, value in bound.arguments.items()):
            return recorder.read_heard(serve, asked)
        return recorder.read(serve, asked, each=self.trace is Trace.EACH)

    def _serve(self, runtime: Runtime, principal: Principal, bound: inspect.BoundArguments) -> Any:
        by_token = runtime.is_called_by_token
        runtime.is_serving = True
        try:
            with runtime.acting_for(principal, by_token=by_token):
                answer = self.function(*bound.args, **bound.kwargs)
        finally:
            runtime.is_serving = False
        return _streamed(runtime, principal, answer, by_token=by_token) if isinstance(answer, Generator) else answer

    def _admit(self, runtime: Runtime, given: MutableMapping[str, Any]) -> tuple[Principal, str]:
        """Who calls, and in which chain the audit has it; whoever is refused is on record, too."""
        principal = NOBODY
        try:
            principal = runtime.principal
            self._require(principal)
            collection = self.scope(runtime, principal, given)
            # Of a name that nothing can have there is no chain.
            return principal, collection if collection and is_storable(collection) else INSTALLATION
        except (AccessDenied, NotFound) as error:
            runtime.trail.write(INSTALLATION, principal, AuditEntry(self.action, _refused(error)))
            raise

    def _require(self, principal: Principal) -> None:
        if not principal.may(self.right):
            raise AccessDenied(f"{principal.name} is {_article(principal.role)}, who may not do this ({self.action})")
        if not self.filters and not principal.reads_every_level:
            raise AccessDenied(f"{self.action} is for those who read every access level: {self.whole}")


NOBODY = Principal("nobody", Role.VIEWER, frozenset())
"""Whoever comes with a token that names nobody."""


@dataclass(frozen=True, slots=True)
class _Recorder:
    """Writes what the audit has of one call."""

    trail: Trail
    chain: str
    principal: Principal
    action: str

    def read(self, serve: Callable[[], Any], asked: Mapping[str, Any], *, each: bool) -> Any:
        """The answer, once it is on record that it is given."""
        answer = serve()
        if isinstance(answer, Iterator):
            return self._each(answer, asked) if each else self._stream(answer, asked)
        self._tell(answer, asked)
        return answer

    def read_heard(self, serve: Callable[[], Any], asked: Mapping[str, Any]) -> Any:
        """The answer, of which the caller hears pieces before: it is on record that these are given."""
        begun, answer = self._begin(serve, asked)
        self._tell(answer, {**asked, "of": begun})
        return answer

    def _each(self, pieces: Iterator[Any], asked: Mapping[str, Any]) -> Iterator[Any]:
        try:
            for piece in pieces:
                self._tell(piece, asked)
                yield piece
        except AccessDenied as error:
            self._write(_refused(error), details=asked)
            raise

    def _stream(self, pieces: Iterator[Any], asked: Mapping[str, Any]) -> Iterator[Any]:
        begun, count, outcome = self._write("begun", details=asked), 0, "done"
        try:
            for piece in pieces:
                count += 1
                yield piece
        except AccessDenied as error:
            outcome = _refused(error)
            raise
        finally:
            self._write(outcome, counts={"given": count}, details={"of": begun})

    def change(self, serve: Callable[[], Any], asked: Mapping[str, Any], look: Callable[[], Any] | None) -> Any:
        """Do what was asked, once it is on record that it will be, and write down what came of it."""
        before = look() if look else None
        begun, answer = self._begin(serve, asked)
        after = look() if look else None
        told = tell_answer(answer, self.trail)
        changed = {"before": before, "after": after} if before != after else {}
        self._write("done", told.target, told.counts, {"of": begun, **changed})
        return answer

    def _begin(self, serve: Callable[[], Any], asked: Mapping[str, Any]) -> tuple[int | None, Any]:
        """Serve once it is on record that this begins; the number of that record, and the answer."""
        begun = self._write("begun", details=asked)
        try:
            return begun, serve()
        except BaseException as error:
            self._write(f"failed: {type(error).__name__}", details={"of": begun})
            raise

    def _tell(self, answer: Any, asked: Mapping[str, Any]) -> None:
        told = tell_answer(answer, self.trail)
        self._write("done", told.target, told.counts, {**asked, **told.details})

    def _write(
        self,
        outcome: str,
        target: str = "",
        counts: Mapping[str, int] = MappingProxyType({}),
        details: Mapping[str, Any] = MappingProxyType({}),
    ) -> int | None:
        return self.trail.write(self.chain, self.principal, AuditEntry(self.action, outcome, target, counts, details))


def _streamed(
    runtime: Runtime, principal: Principal, steps: Generator[Any, Any, Any], *, by_token: bool
) -> Iterator[Any]:
    """What a service gives piece by piece, each made for the same caller, whoever else is served meanwhile.

    Whose token was revoked is given no more, however long ago the first piece was asked for.
    """
    try:
        while True:
            with runtime.acting_for(principal, by_token=by_token):
                piece = next(steps, END)
                runtime.require_caller()
            if piece is END:
                return
            yield piece
    finally:
        steps.close()


def _refused(error: EmbedmillError) -> str:
    return f"refused: {type(error).__name__}"


def _article(role: str) -> str:
    return f"{'an' if role[0] in 'aeiou' else 'a'} {role}"


def serves(
    action: str,
    right: Right,
    scope: reach.Scope,
    *,
    filters: bool = False,
    trace: Trace | None = None,
    told: Sequence[str] = (),
    state: State | None = None,
    whole: str = "it is about documents of every level",
) -> Callable[[Callable[Concatenate[Runtime, P], T]], Callable[Concatenate[Runtime, P], T]]:
    """Declares a service; `action` is what it is called in refusals and in the audit.

    What only reads is recorded as read, and all else as a change, unless it says something else.
    """
    usual = Trace.READ if right in (Right.READ, Right.AUDIT) else Trace.CHANGE

    def declare(function: Callable[Concatenate[Runtime, P], T]) -> Callable[Concatenate[Runtime, P], T]:
        service = Service(function, action, right, scope, filters, trace or usual, told, state, whole)

        def served(runtime: Runtime, /, *given: P.args, **named: P.kwargs) -> T:
            answer: T = service.call(runtime, *given, **named)
            return answer

        update_wrapper(served, function)
        setattr(served, DECLARED, service)
        return served

    return declare
