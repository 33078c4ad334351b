"""What type checkers make of the public names: mypy fails where a pin does not hold.

Never imported; `nox -s typing` checks it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any, Literal, TypedDict, assert_type

import attrs

from lambda_invoke import (
    Accepted,
    AsyncEventHandle,
    AsyncLambdaClient,
    AsyncLambdaFunction,
    AsyncMapIterator,
    CostEstimate,
    DryRun,
    EventHandle,
    EventOutcome,
    FanOutReport,
    FunctionConfiguration,
    Invocation,
    LambdaClient,
    LambdaFunction,
    MapIterator,
    OnceResult,
    Outcome,
    OutcomeTracker,
    RedrivePlan,
    RedriveReport,
    RetryPolicy,
)


@attrs.frozen
class Ask:
    day: dt.date


@attrs.frozen
class Report:
    title: str


class Row(TypedDict):
    id: int


def pins(client: LambdaClient) -> None:
    assert_type(client.once("f", {"a": 1}, key="k"), OnceResult[Any])
    assert_type(client.once("f", key="k", payload={"a": 1}, response=Report, ttl=600), OnceResult[Report])
    assert_type(client.once("f", key="k", response=Report | None).value, Report | None)
    assert_type(client.function("f", response=Report).once("k", store="keys.sqlite3"), OnceResult[Report])
    assert_type(client.function("f", response=Report).once("k").invocation, Invocation[Report])
    assert_type(client.invoke("f"), Invocation[Any])
    assert_type(client.invoke("f", {"a": 1}, response=Report), Invocation[Report])
    assert_type(client.invoke("f", response=Report).value, Report)
    assert_type(client.invoke("f", response=Report | None).value, Report | None)
    assert_type(client.invoke("f", response=list[Report]).value, list[Report])
    assert_type(client.invoke("f", response=dict[str, list[Row]]).value, dict[str, list[Row]])
    assert_type(client.invoke("f", response=Literal["a", "b"]).value, Literal["a", "b"])
    assert_type(client.invoke("f", response=bytes, timeout=3, idempotent=True).value, bytes)
    assert_type(client.invoke_event("f", Ask(dt.date.min)), Accepted)
    assert_type(client.dry_run("f"), DryRun)

    fn = client.function("reports:prod", request=Ask, response=Report)
    assert_type(fn, LambdaFunction[Ask, Report])
    assert_type(fn(Ask(dt.date.min)), Report)
    assert_type(fn.invoke(Ask(dt.date.min)), Invocation[Report])
    assert_type(fn.event(Ask(dt.date.min)), EventHandle[Report])
    accepted: Accepted = fn.event(Ask(dt.date.min))
    assert_type(client.redrive("url"), RedrivePlan)
    assert_type(client.redrive("url", "f", send=True, where=lambda outcome: outcome.ok), RedriveReport)
    tracker = client.outcomes("url")
    assert_type(tracker, OutcomeTracker[Any])
    assert_type(client.outcomes("url", response=Report).handle("id"), EventHandle[Report])
    assert_type(tracker.handle("id").result(timeout=3), Any)
    assert_type(tracker.handle("id", response=Report).outcome(), EventOutcome[Report])
    assert_type(tracker.track(fn.event(Ask(dt.date.min))).result(timeout=3), Report)
    assert_type(tracker.track(accepted), EventHandle[Any])
    assert_type(tracker.track(accepted, response=Report | None).result(), Report | None)
    for handle in tracker.as_completed([fn.event(Ask(dt.date.min))]):
        assert_type(handle.outcome().value, Report)
    assert_type(fn.dry_run(), DryRun)
    assert_type(fn.map([Ask(dt.date.min)]), MapIterator[Report])
    assert_type(fn.fan_out([Ask(dt.date.min)]).values(), list[Report])
    assert_type(fn.with_options(retry=RetryPolicy.never()), LambdaFunction[Ask, Report])
    fn("not an Ask")  # type: ignore[arg-type]
    fn.map(["not an Ask"])  # type: ignore[list-item]

    assert_type(client.function("f"), LambdaFunction[Any, Any])
    assert_type(client.function("f", response=Report | None), LambdaFunction[Any, Report | None])
    assert_type(client.function("f", request=Ask), LambdaFunction[Ask, Any])
    assert_type(LambdaFunction.from_env("F", client, response=Report), LambdaFunction[Any, Report])

    for outcome in client.map("f", [1], response=Report, ordered=True):
        assert_type(outcome, Outcome[Report])
        assert_type(outcome.value, Report)
    assert_type(client.fan_out("f", [1]), FanOutReport[Any])
    assert_type(client.fan_out("f", [1], response=Report, progress=True).values(), list[Report])
    assert_type(next(client.list_functions()), FunctionConfiguration)

    client.invoke("f", respones=Report)  # type: ignore[call-overload]
    client.invoke(17)  # type: ignore[call-overload]
    with client as same:
        assert_type(same, LambdaClient)


async def async_pins(client: AsyncLambdaClient) -> None:
    assert_type(await client.once("f", {"a": 1}, key="k"), OnceResult[Any])
    assert_type(await client.once("f", key="k", response=Report), OnceResult[Report])
    assert_type(await client.function("f", response=Report).once("k"), OnceResult[Report])
    assert_type(await client.invoke("f"), Invocation[Any])
    assert_type(await client.invoke("f", {"a": 1}, response=Report), Invocation[Report])
    assert_type((await client.invoke("f", response=Report | None)).value, Report | None)
    assert_type(await client.invoke_event("f", Ask(dt.date.min)), Accepted)
    assert_type(await client.dry_run("f"), DryRun)

    fn = client.function("reports:prod", request=Ask, response=Report)
    assert_type(fn, AsyncLambdaFunction[Ask, Report])
    assert_type(await fn(Ask(dt.date.min)), Report)
    assert_type(await fn.invoke(Ask(dt.date.min)), Invocation[Report])
    handle = await fn.event(Ask(dt.date.min))
    assert_type(handle, AsyncEventHandle[Report])
    assert_type(await handle.result(timeout=3), Report)
    assert_type(await client.redrive("url", limit=3), RedrivePlan)
    assert_type(await client.redrive("url", send=bool("x")), RedrivePlan | RedriveReport)
    tracker = client.outcomes("url", response=Report)
    assert_type(tracker.handle("id"), AsyncEventHandle[Report])
    assert_type(await tracker.track(handle).outcome(), EventOutcome[Report])
    assert_type(
        await tracker.wait([handle]), tuple[list[AsyncEventHandle[Report]], list[AsyncEventHandle[Report]]]
    )
    async for one in tracker.as_completed([handle]):
        assert_type(one, AsyncEventHandle[Report])
    assert_type(await fn.dry_run(), DryRun)
    assert_type(fn.map([Ask(dt.date.min)]), AsyncMapIterator[Report])
    assert_type((await fn.fan_out([Ask(dt.date.min)])).values(), list[Report])
    assert_type(fn.with_options(retry=RetryPolicy.never()), AsyncLambdaFunction[Ask, Report])
    await fn("not an Ask")  # type: ignore[arg-type]
    assert_type(AsyncLambdaFunction.from_env("F", client, response=Report), AsyncLambdaFunction[Any, Report])

    async for outcome in client.map("f", [1], response=Report, ordered=True):
        assert_type(outcome, Outcome[Report])
    stop = asyncio.Event()
    report = await client.fan_out("f", [1], response=Report, keep="failures", tolerate=0.5, stop=stop)
    assert_type(report, FanOutReport[Report])
    assert_type(report.cost(), CostEstimate | None)
    assert_type(await anext(client.list_functions()), FunctionConfiguration)

    await client.fan_out("f", [1], keep="none")  # type: ignore[call-overload]
    async with client as same:
        assert_type(same, AsyncLambdaClient)
