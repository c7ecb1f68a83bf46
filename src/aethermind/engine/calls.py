"""Model calls of one attempt, journaled: the intent with its reservation is on disk before a byte leaves.

Rules
- `CallStarted` is committed, then the request is sent. `CallFinished` travels with the attempt's end in one
  commit, or alone when another call follows.
- Every failed call is recorded with what it used; the retry layer is the step's, there is none here.
- What was answered before is not sent, if the step says `cache`: such a call is recorded begun and finished
  in one commit. It needs no slot and no budget.
- A chain of models is tried in order within one attempt; the last error stands.
- In a conversation with tools an answer that is recorded is not asked for again (`domain.journal`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from aethermind import failpoints, wire
from aethermind.domain.days import day_scope
from aethermind.domain.errors import ErrorInfo, InvalidError, ProviderError
from aethermind.domain.events import (
    AnyEvent,
    CallFinished,
    CallStarted,
    Recorded,
    Reserve,
)
from aethermind.domain.holding import GUARD
from aethermind.domain.run import Run
from aethermind.domain.state import AttemptState, Node
from aethermind.domain.usage import Cost, Usage
from aethermind.domain.workflow import CachePolicy
from aethermind.engine import answers, reserving, tool_activity
from aethermind.engine.client import TokenDelta
from aethermind.engine.costing import expected_tokens
from aethermind.engine.deadlines import Deadline
from aethermind.engine.governor import Place
from aethermind.engine.guard import Repeats, many_calls, same_tools
from aethermind.engine.lane_words import tell_wait
from aethermind.engine.live import Act, DayRefused, LiveRun, Note
from aethermind.engine.opened import Opened, told
from aethermind.engine.own_tools import ToolBegan, ToolEnded
from aethermind.engine.ports import (
    CallContext,
    ChatRequest,
    Finished,
    Provider,
    ReasoningDelta,
    TextDelta,
    ToolCallRequested,
)
from aethermind.engine.recall import Recall
from aethermind.engine.reply import Reply, Thread, digest
from aethermind.engine.requests import turn_of, with_context
from aethermind.engine.reserving import HeldByBudget
from aethermind.engine.services import Services


class Calls:
    """The calls of one attempt."""

    __slots__ = ("_asked", "_open", "_recall", "attempt", "deadline", "facts", "live", "node", "services")

    def __init__(self, services: Services, live: LiveRun, node: Node, attempt: int) -> None:
        self.services = services
        self.live = live
        self.node = node
        self.attempt = attempt
        self._recall = Recall(node, attempt)
        self._open: dict[int, Opened] = {}
        """Calls under way, by number: code may make several at a time."""
        self._asked: dict[int, str] = {}
        """Number → digest of what was asked, of calls that the guard counted."""
        self.facts: list[AnyEvent] = []
        """Events to be committed with the attempt's end."""
        self.deadline: Deadline | None = None

    def scrub(self, text: str) -> str:
        """As it may be recorded: without secrets, nor half characters."""
        return self.services.scrub(wire.recordable(text))

    async def ask(self, models: Sequence[str], thread: Thread) -> Reply:
        """The next answer. Raises `ProviderError`, `HeldByBudget`."""
        resolved = [model for name in models for model in self._resolve(name)]
        requests = [(full, thread.request(full)) for full in resolved]
        if thread.tools:
            if (known := self._recall.take([digest(*asked) for asked in requests])) is not None:
                return known
            if (complaint := self._recall.complaint(self.attempt)) is not None:
                self.live.post(Note((complaint,)))
        for position, (full, request) in enumerate(requests):
            last = position == len(requests) - 1
            try:
                return await self._call(full, request, thread, last=last)
            except ProviderError:
                if last:
                    raise
        raise ProviderError(ErrorInfo(kind="not_found", message="no model is named for this step"))

    def _resolve(self, name: str) -> tuple[str, ...]:
        """What was recorded for the name; a name that only code knows is resolved now."""
        run = self.live.run
        if (known := run.models.get(name)) is not None:
            return known
        try:
            return (self.services.models.resolve(name, sim=run.created.simulated),)
        except InvalidError as error:
            raise ProviderError(ErrorInfo(kind="not_found", message=error.message, hint=error.hint)) from None

    async def _call(self, full: str, request: ChatRequest, thread: Thread, *, last: bool) -> Reply:
        services, live, node = self.services, self.live, self.node
        provider_name = full.partition(":")[0]
        asked = digest(full, request) if thread.tools else ""
        provider = services.models.provider(provider_name)
        context = CallContext(
            run_id=live.run.id,
            workflow=live.run.definition.name,
            step=node.path,
            agent=node.agent or "",
            attempt=turn_of(node),
            sim=live.run.created.sim,
            cwd=live.run.created.submitter.cwd,
        )
        policy = answers.policy_of(live.run, node)
        account = answers.account_of(provider, context.sim) if policy else ""
        if policy and not live.run.created.fresh:
            request = with_context(request, context, bounded=await self._bounded())
            key = answers.content_key(provider_name, request, account)
            if (found := await self._known(key, policy)) is not None:
                return await self._reuse(full, request, found, thread, asked)
        await services.warm(provider_name)
        async with services.governor.admit(
            full,
            self.deadline,
            priority=live.priority,
            tokens=lambda: expected_tokens(request),
            patient=last,
            waits=lambda lane: tell_wait(live, node, self.attempt, services.clock.now(), lane),
        ) as place:
            request = with_context(request, context, bounded=await self._bounded())
            number, reserved = await self._commit_start(full, request, thread, asked)
            if failpoints.armed:
                failpoints.reached("call.intent")
            request = replace(request, context=replace(context, call=number + self._recall.used))
            opened = self._open[number] = Opened(number, services.clock.monotonic(), reserved)
            try:
                finished = await self._stream(provider, request, opened, place)
            except ProviderError as error:
                place.failed(error.info)
                self._failed(opened, error.info, error.usage, error.cost)
                raise
            if failpoints.armed:
                failpoints.reached("call.result")
            usage = finished.usage
            place.answered(usage)
            cost = opened.cost_of(finished, services.prices, full, at=services.clock.now())
            self._open.pop(number, None)
            services.partials.forget(live.run.id, node.path, number)
            wanted = opened.wanted()
            kept = (
                policy and not wanted and answers.is_whole(finished, opened.text, request, services.schemas)
            )
            answer = services.veil.conceal(
                CallFinished(
                    step=node.path,
                    attempt=self.attempt,
                    call=number,
                    usage=usage,
                    cost=cost,
                    text=opened.text,
                    finish=finished.reason,
                    reasoning=opened.reasoning,
                    response_id=finished.response_id,
                    response_model=finished.model,
                    first_token_ms=opened.first_token_ms,
                    content_key=answers.content_key(provider_name, request, account) if kept else None,
                    tool_calls=wanted,
                    carry=finished.carry,
                )
            )
            assert isinstance(answer, CallFinished)
            self.facts.append(answer)
            took = services.clock.monotonic() - opened.began
            self.facts += told(node, self.attempt, full, opened, finished, cost, took)
            return Reply(
                attempt=self.attempt,
                call=number,
                model=full,
                text=answer.text,
                finish=answer.finish,
                tool_calls=answer.tool_calls,
                carry=answer.carry,
            )

    async def _bounded(self) -> bool:
        """Whether a budget holds: then no answer may be longer than what is reserved for it."""
        run = self.live.run
        if run.budget_micro_usd is not None:
            return True
        return await self.services.days.cap(simulated=run.created.simulated) is not None

    async def _commit_start(
        self, full: str, request: ChatRequest, thread: Thread, asked: str
    ) -> tuple[int, int | None]:
        """Record the intent; the call's number and reservation. Raises `ProviderError`, `HeldByBudget`."""
        services, live = self.services, self.live
        simulated = live.run.created.simulated
        cap = await services.days.cap(simulated=simulated)
        provider = full.partition(":")[0]
        worst = reserving.worst_case(services.prices, provider, request, at=services.clock.now())
        same = digest(full, request)
        reserve = None
        if cap is not None:
            reserving.check_price(live.run, worst, full)
            if worst:
                reserve = Reserve(day_scope(simulated=simulated), worst, cap)
        number = 0
        held = False

        def decide(run: Run) -> list[AnyEvent]:
            nonlocal number, held
            started = self._started(run, full, request, worst, thread, asked)
            reserving.check_run(run, worst, started, full, live.pending)
            events, held = self._guarded(run, same)
            number = started.call
            return events if held else [*events, started]

        try:
            await self.record(decide, reserve)
        except DayRefused:
            self._take_back(same)
            left = (await services.days.today(simulated=simulated)).left
            raise HeldByBudget("day", worst or 0, left or 0) from None
        if held:
            raise HeldByBudget(GUARD)
        self._asked[number] = same
        return number, worst

    def _guarded(self, run: Run, digest: str) -> tuple[list[AnyEvent], bool]:
        """What the guard says to one more call, and whether it holds it back."""
        live, limits = self.live, self.services.limits
        if live.repeats is None:
            live.repeats = Repeats()
        many = many_calls(run, self.node, self.attempt, limits)
        if not many.holds:
            round_ = same_tools(run, self.node, limits)
            many = round_ if round_.holds else many.and_then(round_)
        if many.holds:
            return list(many.events), True
        asked = live.repeats.asked(run, self.node, digest, limits)
        return [*many.events, *asked.events], asked.holds

    def _take_back(self, digest: str) -> None:
        if self.live.repeats is not None:
            self.live.repeats.take_back(self.node, digest)

    async def _known(self, key: str, policy: CachePolicy) -> Recorded | None:
        """The answer that may be used instead of a call."""
        if self.facts:  # what this attempt was answered just now counts, too
            await self.record(lambda run: [])
        return await self.services.answers.find(key, policy)

    async def _reuse(
        self, full: str, request: ChatRequest, found: Recorded, thread: Thread, asked: str
    ) -> Reply:
        """Record a call that is not sent; its answer."""
        number = 0

        def decide(run: Run) -> list[AnyEvent]:
            nonlocal number
            started = self._started(run, full, request, 0, thread, asked)
            number = started.call
            finished = answers.reused(found, started.step, started.attempt, started.call)
            return [started, finished, answers.told(started, finished)]

        await self.record(decide)
        text, finish, carry = answers.answer_of(found)
        return Reply(attempt=self.attempt, call=number, model=full, text=text, finish=finish, carry=carry)

    def check_running(self, run: Run) -> AttemptState:
        """The attempt, if it may still do something. Raises `ProviderError`."""
        attempt = run.node(self.node.path).attempts[self.attempt - 1]
        if attempt.status != "running" or self.node.path in run.stops:
            raise ProviderError(ErrorInfo(kind="cancelled", message="the step's attempt is over"))
        return attempt

    def _started(
        self,
        run: Run,
        full: str,
        request: ChatRequest,
        reserved: int | None,
        thread: Thread,
        asked: str,
    ) -> CallStarted:
        """In the run's own mailbox, where no other call can slip in between check and reservation, nor
        between a call's number and its place among those of the attempt."""
        node = self.node
        number = len(self.check_running(run).calls) + 1
        return CallStarted(
            step=node.path,
            attempt=self.attempt,
            call=number,
            key=wire.digest([run.id, node.path, number + self._recall.used]),
            provider=full.partition(":")[0],
            model=request.model,
            request=thread.shown(request),
            digest=asked,
            agent=node.agent,
            reserved_micro_usd=reserved,
        )

    async def record(self, decide: Callable[[Run], list[AnyEvent]], reserve: Reserve | None = None) -> None:
        """Have this decided and recorded, after what the calls before it cost: so it is known whether there
        is money for it. Raises what `decide` does, and `DayRefused`."""
        self.flush()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.live.post(Act(decide, done, reserve, (self.node.path, self.attempt)))
        await done

    def flush(self) -> None:
        """Have what is known recorded now, without waiting for it."""
        if self.facts:
            facts, self.facts = self.facts, []
            self.live.post(Note(tuple(facts)))

    async def _stream(
        self, provider: Provider, request: ChatRequest, opened: Opened, place: Place
    ) -> Finished:
        services, live, node = self.services, self.live, self.node
        run_id, feed = live.run.id, services.feed
        async for event in provider.stream(request):
            if not opened.heard:
                opened.heard = True
                place.heard()
            if failpoints.armed:
                failpoints.reached("call.event")
            match event:
                case TextDelta(text=text):
                    if opened.first_token_ms is None:
                        opened.first_token_ms = int((services.clock.monotonic() - opened.began) * 1000)
                    offset, opened.size = opened.size, opened.size + len(text)
                    opened.parts.append(text)
                    if feed.watched:
                        feed.signal(TokenDelta(run_id, node.path, self.attempt, opened.number, offset, text))
                    services.partials.grow(run_id, node.path, self.attempt, opened.number, opened.joined)
                case ReasoningDelta(text=text):
                    offset, opened.thought = opened.thought, opened.thought + len(text)
                    opened.thoughts.append(text)
                    if feed.watched:
                        feed.signal(
                            TokenDelta(
                                run_id, node.path, self.attempt, opened.number, offset, text, reasoning=True
                            )
                        )
                case Finished(text=answer):
                    if answer is not None:
                        opened.parts = [answer]
                    return event
                case ToolBegan() | ToolEnded():
                    tool_activity.tell(self, opened, event)
                case ToolCallRequested() if request.tools:
                    opened.tool_calls.append(event)
                case ToolCallRequested(name=name):
                    raise ProviderError(
                        ErrorInfo(
                            kind="malformed", message=f"the model called a tool it was not given: {name}"
                        )
                    )
        raise ProviderError(
            ErrorInfo(kind="truncated", message="the answer ended without its end marker", retryable=True)
        )

    def _failed(
        self, opened: Opened, info: ErrorInfo, usage: Usage | None = None, cost: Cost | None = None
    ) -> None:
        """Record a failed call."""
        self._open.pop(opened.number, None)
        if (digest := self._asked.pop(opened.number, None)) is not None:
            self._take_back(digest)
        self.services.partials.forget(self.live.run.id, self.node.path, opened.number)
        text = self.scrub(opened.text)
        self.facts.append(opened.failed(self.node.path, self.attempt, info, usage, cost, text))

    def close(self, *, failed: bool) -> None:
        """The attempt is over: nothing of calls that it left open is to be shown as under way. What a failed
        attempt asked will be asked again."""
        for number in self._open:
            self.services.partials.forget(self.live.run.id, self.node.path, number)
        if failed:
            for digest in self._asked.values():
                self._take_back(digest)

    def abandon(self) -> None:
        """The attempt's deadline passed in the middle of calls."""
        for opened in list(self._open.values()):
            self._failed(opened, ErrorInfo(kind="timeout", message="stopped by the step's timeout"))
