"""Workflows written in Python.

    flow = Workflow("noop", inputs={"topic": "string"})

    @flow.step
    async def a(ctx):
        return {"x": 1}

    @flow.step(depends_on=["a"], timeout="30s", retry=2)
    async def b(ctx):
        return ctx.steps["a"].output

The functions run in-process, in the order that `depends_on` asks for; what they return is a JSON value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack, overload

import msgspec

from aethermind.definitions.fingerprints import source_hash
from aethermind.definitions.hints import did_you_mean, show
from aethermind.definitions.units import LONGEST_MS, duration_ms, micro_usd
from aethermind.domain.errors import InvalidError, NotFoundError
from aethermind.domain.ids import RESERVED, STEP_ID
from aethermind.domain.workflow import (
    Budget,
    Function,
    InputDef,
    OnError,
    OnInDoubt,
    Retry,
    StepDef,
    WorkflowDef,
)

if TYPE_CHECKING:
    from aethermind.definitions.context import Defaults

Json = Any
StepFunction = Callable[..., Any]
F = TypeVar("F", bound=StepFunction)


class StepOptions(TypedDict, total=False):
    """What a step may be given."""

    id: str | None
    """Default: the function's name."""
    depends_on: Sequence[str]
    timeout: float | str | None
    """Seconds, or `"10s"`."""
    retry: int | Mapping[str, Any] | Retry | None
    """Attempts in all, or `{"max_attempts", "backoff", "max_backoff"}`."""
    when: str | bool | None
    """A condition, such as `"plan.ready"`."""
    for_each: str | Sequence[Json] | None
    """A list or an expression; the function sees `ctx.item`."""
    max_parallel: int | None
    agent: str | None
    inputs: Json
    """A tree of templates that becomes `ctx.inputs`; None: the run's inputs."""
    on_error: OnError
    on_in_doubt: OnInDoubt | None
    save: str | None
    cache: bool | float | str | None
    """Whether `ctx.chat` may be answered from the record; or how old an answer may be: seconds, or `"7d"`."""
    always: bool


class Workflow:
    """A workflow whose steps are functions. `inputs`: name → short schema (`"string"`, `["string"]`,
    `{"type": "integer", "default": 3}`); None takes any. `outputs`: name → template; empty: the leaves.

    Raises `InvalidError` for what cannot be; references and circles are checked when it is built.
    """

    def __init__(
        self,
        name: str,
        *,
        inputs: Mapping[str, Json] | None = None,
        description: str = "",
        outputs: Mapping[str, Json] | None = None,
        budget_usd: float | str | None = None,
        priority: int = 0,
        max_concurrent: int | None = None,
    ) -> None:
        if not name or len(name) > 100 or not name.isprintable():
            raise InvalidError(f"{show(name)!r} cannot be a workflow's name")
        self.name = name
        self.description = description
        self.functions: dict[str, StepFunction] = {}
        """`NAME.STEP` → the function, for the runtime's registry."""
        self._inputs = _inputs(inputs) if inputs else {}
        self._outputs = dict(outputs or {})
        self._budget = _budget(budget_usd)
        self._priority = priority
        self._max_concurrent = max_concurrent
        self._steps: dict[str, StepDef] = {}
        self._built: WorkflowDef | None = None

    @overload
    def step(self, function: F, /) -> F: ...

    @overload
    def step(self, /, **options: Unpack[StepOptions]) -> Callable[[F], F]: ...

    def step(self, function: F | None = None, /, **options: Unpack[StepOptions]) -> F | Callable[[F], F]:
        """Make a step of a function `async def f(ctx)`; its id is the function's name."""

        def add(decorated: F) -> F:
            self.add(decorated, **options)
            return decorated

        return add(function) if function is not None else add

    def add(self, function: StepFunction, /, **options: Unpack[StepOptions]) -> None:
        """The same as `step`, for a function that is at hand."""
        for option in options:
            if option not in StepOptions.__annotations__:
                hint = did_you_mean(option, StepOptions.__annotations__, label="options")
                raise InvalidError(f"a step has no option `{show(option)}`", hint=hint)
        step_id = str(options.get("id") or getattr(function, "__name__", ""))
        _check_id(step_id, self._steps)
        if not callable(function):
            raise InvalidError(f"step `{step_id}`: a function is wanted, not {type(function).__name__}")
        needs, when, for_each = options.get("depends_on", ()), options.get("when"), options.get("for_each")
        retry, timeout = options.get("retry"), options.get("timeout")
        cache = options.get("cache")
        if cache is not None and not isinstance(cache, bool):
            cache = _milliseconds(step_id, "cache", cache)
        name = f"{self.name}.{step_id}"
        self._steps[step_id] = StepDef(
            id=step_id,
            action=Function(
                name=name,
                agent=options.get("agent"),
                inputs=options.get("inputs"),
                source_hash=source_hash(function),
            ),
            depends_on=(needs,) if isinstance(needs, str) else tuple(dict.fromkeys(needs)),
            when=("true" if when else "false") if isinstance(when, bool) else when,
            for_each=for_each if isinstance(for_each, str) or for_each is None else list(for_each),
            max_parallel=options.get("max_parallel"),
            retry=_retry(step_id, retry) if retry is not None else Retry(),
            timeout_ms=_milliseconds(step_id, "timeout", timeout) if timeout is not None else None,
            on_error=options.get("on_error", "fail"),
            on_in_doubt=options.get("on_in_doubt"),
            cache=cache,
            save=options.get("save"),
            always=options.get("always", False),
        )
        self.functions[name] = function
        self._built = None

    @property
    def definition(self) -> WorkflowDef:
        """The definition. Steps that do not say otherwise have no timeout and a plain `Retry()`: whoever runs
        it fills in its own defaults (`build` does it here)."""
        if self._built is None:
            self._built = self._build()
        return self._built

    def build(self, defaults: Defaults | None = None) -> WorkflowDef:
        """The definition with these defaults filled in. Raises `InvalidError` (unknown steps, circles)."""
        from aethermind.definitions.context import Defaults

        chosen = defaults or Defaults()
        retry = Retry(max_attempts=chosen.retries + 1)
        steps = tuple(
            msgspec.structs.replace(
                step,
                retry=retry if step.retry == Retry() else step.retry,
                timeout_ms=chosen.timeout_ms if step.timeout_ms is None else step.timeout_ms,
            )
            for step in self.definition.steps
        )
        return msgspec.structs.replace(self.definition, steps=steps)

    def _build(self) -> WorkflowDef:
        if not self._steps:
            raise InvalidError(f"workflow `{show(self.name)}` has no steps", hint="@flow.step")
        steps = [self._settle(step) for step in self._steps.values()]
        _refuse_cycle(steps)
        for template in _texts(list(self._outputs.values())):
            self._names(template, "an output")
        return WorkflowDef(
            name=self.name,
            description=self.description,
            inputs=self._inputs,
            steps=tuple(steps),
            outputs=self._outputs,
            budget=self._budget,
            priority=self._priority,
            max_concurrent=self._max_concurrent,
        )

    def _settle(self, step: StepDef) -> StepDef:
        """References filled in."""
        for name in step.depends_on:
            if name not in self._steps or name == step.id:
                what = "itself" if name == step.id else f"`{show(name)}`, which is no step"
                raise InvalidError(
                    f"step `{step.id}` depends on {what}", hint=did_you_mean(name, self._steps)
                )
        references: dict[str, None] = {}
        order = dict.fromkeys(step.depends_on)
        for template in _templates_of(step):
            used, waited = self._names(template, f"step `{step.id}`")
            references.update(dict.fromkeys(used))
            order.update(dict.fromkeys(waited))
        return msgspec.structs.replace(step, depends_on=tuple(order), references=tuple(references))

    def _names(self, template: tuple[str, bool], where: str) -> tuple[list[str], list[str]]:
        """Steps whose outputs a template uses, and steps it only asks about (`steps.X`)."""
        from aethermind.definitions.analysis import BadTemplate, uses, uses_of_condition

        text, is_condition = template
        try:
            found = uses_of_condition(text) if is_condition else uses(text)
        except BadTemplate as problem:
            raise InvalidError(f"{where}: {problem}, in {show(text, 60)}", hint=problem.hint) from None
        used: list[str] = []
        waited: list[str] = []
        for path in found.paths:
            name = path[1] if path[0] == "steps" and len(path) > 1 else path[0]
            if path[0] == "inputs" and len(path) > 1 and self._inputs and path[1] not in self._inputs:
                hint = did_you_mean(path[1], self._inputs, label="inputs")
                raise InvalidError(f"{where}: there is no input `{show(path[1])}`", hint=hint)
            if name in self._steps:
                (waited if path[0] == "steps" else used).append(name)
            elif path[0] not in RESERVED or path[0] == "steps":
                raise InvalidError(
                    f"{where}: unknown name `{show(name)}`", hint=did_you_mean(name, self._steps)
                )
        return used, waited


def _templates_of(step: StepDef) -> Iterable[tuple[str, bool]]:
    if step.when is not None:
        yield step.when, True
    if isinstance(step.action, Function):
        yield from _texts([step.for_each, step.action.inputs, step.save])


def _texts(tree: Json) -> Iterable[tuple[str, bool]]:
    if isinstance(tree, str):
        yield tree, False
    elif isinstance(tree, Mapping):
        yield from _texts(list(tree.values()))
    elif isinstance(tree, list | tuple):
        for inner in tree:
            yield from _texts(inner)


def _check_id(step_id: str, taken: Mapping[str, Any]) -> None:
    if not STEP_ID.match(step_id):
        raise InvalidError(f"`{show(step_id)}` cannot be a step's id", hint="@flow.step(id='a_name')")
    if step_id in RESERVED:
        raise InvalidError(
            f"`{step_id}` is reserved: expressions use it", hint=f"@flow.step(id='{step_id}_')"
        )
    if step_id in taken:
        raise InvalidError(f"there are two steps `{step_id}`", hint="give one of them another id=…")


def _refuse_cycle(steps: Sequence[StepDef]) -> None:
    try:
        TopologicalSorter({s.id: s.needs for s in steps}).prepare()
    except CycleError as circle:
        way = list(reversed(circle.args[1]))
        raise InvalidError(
            f"the steps wait for each other: {' → '.join(way)}", hint="break the circle"
        ) from None


def _milliseconds(step_id: str, what: str, value: float | str) -> int:
    """Seconds, or a duration as in a file."""
    try:
        if isinstance(value, str):
            ms = duration_ms(value)
        elif isinstance(value, bool) or not 0 <= value * 1000 <= LONGEST_MS:
            raise ValueError(f"{value} is no duration in seconds")
        else:
            ms = round(value * 1000)
    except ValueError as problem:
        raise InvalidError(f"step `{step_id}`: `{what}`: {problem}") from None
    if ms <= 0 and what in {"timeout", "cache"}:
        raise InvalidError(f"step `{step_id}`: `{what}` cannot be 0")
    return ms


def _retry(step_id: str, retry: int | Mapping[str, Any] | Retry) -> Retry:
    if isinstance(retry, Retry):
        return retry
    options = {"max_attempts": retry} if isinstance(retry, int) else dict(retry)
    known = ("max_attempts", "backoff", "max_backoff")
    for key in options:
        if key not in known:
            raise InvalidError(
                f"step `{step_id}`: `retry` has no `{show(str(key))}`", hint=did_you_mean(str(key), known)
            )
    attempts = options.get("max_attempts", 4)
    if isinstance(attempts, bool) or not isinstance(attempts, int) or not 1 <= attempts <= 100:
        raise InvalidError(
            f"step `{step_id}`: `max_attempts` is a number from 1 to 100, not {attempts!r:.20}"
        )
    if attempts == 1:
        return Retry(backoff_ms=0)  # unlike `Retry()`, which stands for "the default"
    backoff = _milliseconds(step_id, "backoff", options.get("backoff", 1.0))
    longest = _milliseconds(step_id, "max_backoff", options.get("max_backoff", 60.0))
    return Retry(max_attempts=attempts, backoff_ms=backoff, max_backoff_ms=max(backoff, longest))


def _budget(usd: float | str | None) -> Budget | None:
    if usd is None:
        return None
    try:
        return Budget(micro_usd=micro_usd(usd))
    except ValueError as problem:
        raise InvalidError(f"`budget_usd`: {problem}") from None


def _inputs(inputs: Mapping[str, Json]) -> dict[str, InputDef]:
    from aethermind.definitions.inputs import read_inputs
    from aethermind.definitions.nodes import Map, as_node
    from aethermind.definitions.shorthand import Shorthand

    node = as_node(dict(inputs), "inputs")
    assert isinstance(node, Map)
    try:
        return read_inputs(node, Shorthand())
    except InvalidError as problem:
        raise InvalidError(f"inputs: {problem.message}", hint=problem.hint) from None


def load_target(target: str) -> Workflow:
    """`pkg.mod:flow` → the workflow. The caller puts the working directory on `sys.path`.

    Raises `NotFoundError` (module or name), `InvalidError` (no workflow, or the module does not load).
    """
    import importlib

    module_name, _, attribute = target.partition(":")
    if (
        not module_name
        or not attribute
        or not all(p.isidentifier() for p in f"{module_name}.{attribute}".split("."))
    ):
        raise InvalidError(f"`{show(target)}` names no workflow", hint="package.module:flow")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as problem:
        if problem.name and (module_name == problem.name or module_name.startswith(f"{problem.name}.")):
            raise NotFoundError(
                f"there is no module `{module_name}`", hint="seen from the working directory"
            ) from None
        raise InvalidError(f"`{module_name}` does not load: {show(str(problem), 200)}") from problem
    except Exception as problem:
        text = f"{type(problem).__name__}: {problem}"
        raise InvalidError(f"`{module_name}` does not load: {show(text, 200)}") from problem
    for part in attribute.split("."):
        if not hasattr(found, part):
            flows = [name for name, value in vars(found).items() if isinstance(value, Workflow)]
            hint = did_you_mean(part, flows, label="workflows there")
            raise NotFoundError(f"`{module_name}` has no `{show(attribute)}`", hint=hint)
        found = getattr(found, part)
    if not isinstance(found, Workflow):
        raise InvalidError(
            f"`{target}` is no Workflow but {type(found).__name__}", hint="flow = Workflow('name')"
        )
    return found
