"""``once``: one run for a business key."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from lambda_invoke.base import ClientBase, terms_of
from lambda_invoke.core.calls import Options
from lambda_invoke.core.codec import NO_PAYLOAD

if TYPE_CHECKING:
    from typing import Unpack

    from typing_extensions import TypeForm

    from lambda_invoke.core.calls import Terms
    from lambda_invoke.core.options import OnceOptions
    from lambda_invoke.core.plan import Call
    from lambda_invoke.core.retry import RetryPolicy
    from lambda_invoke.once.places import KeyStore
    from lambda_invoke.once.prepare import Settings
    from lambda_invoke.once.results import OnceResult
    from lambda_invoke.once.run import Steps

T = TypeVar("T")


class OnceMethods(ClientBase):
    """Of the blocking client."""

    if TYPE_CHECKING:

        def _drive(self, call: Call[T]) -> T: ...

    @overload
    def once(
        self,
        function: str,
        payload: object = NO_PAYLOAD,
        *,
        key: str,
        response: None = None,
        **options: Unpack[OnceOptions],
    ) -> OnceResult[Any]: ...
    @overload
    def once(
        self,
        function: str,
        payload: object = NO_PAYLOAD,
        *,
        key: str,
        response: TypeForm[T],
        **options: Unpack[OnceOptions],
    ) -> OnceResult[T]: ...
    def once(
        self,
        function: str,
        payload: object = NO_PAYLOAD,
        *,
        key: str,
        store: KeyStore | None = None,
        response: Any = None,
        ttl: float = 3600.0,
        lock_seconds: float | None = None,
        concurrent: Literal["wait", "raise"] = "wait",
        on_error: Literal["release", "keep"] = "release",
        key_in: str | None = None,
        key_as: Literal["durable_execution_name"] | None = None,
        key_prefix: str | None = None,
        qualifier: str | None = None,
        log_tail: bool = False,
        client_context: Any = None,
        tenant_id: str | None = None,
        durable_execution_name: str | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        idempotent: bool = False,
        retry: RetryPolicy | None = None,
    ) -> OnceResult[Any]:
        """Run a function once for a business key, and give its result to everybody who calls with the key.

        The first call with a key takes it in the store, invokes the function and stores the result for
        ``ttl`` seconds; every other, in any thread or process that has the store, gets that result.
        Needs the extra ``idempotency``.

        - A call that did not run the function (throttled, refused, no connection) frees the key.
        - A call that ran it and failed (``FunctionError``) frees it too, as AWS Powertools does, unless
          ``on_error="keep"``.
        - Where nobody knows whether it ran, the key stays locked until ``lock_seconds`` have passed,
          unless ``idempotent``: the error's ``locked_until`` says until when, and other calls with the
          key raise :class:`KeyOutcomeUnknownError` meanwhile. The same holds for a caller that was
          killed: afterwards the next call runs the function, perhaps again.

        Args:
            function: as for :meth:`invoke`; the key belongs to it, as it is named here.
            payload: as for :meth:`invoke`. The same key with another payload is refused.
            key: the business key: an order's number, a message's id. Stored and named as a hash only.
            store: a path (a SQLite file), a :class:`DynamoDBTable`, or a persistence layer of AWS
                Powertools; default: the file ``lambda_invoke/once.sqlite3`` in ``$XDG_STATE_HOME``,
                by default ``~/.local/state``.
            response: the type of the result.
            ttl: seconds that the result is kept and the key counts as used; default an hour.
            lock_seconds: seconds after which the key of a call that never ended is free; default 915
                after the last moment at which the call may be sent (its ``deadline``, or its timeout
                and the time for throttles), as a function runs for up to 900 s. Bounds the call too.
                Give your function's timeout and the call's ``deadline`` together, or more.
            concurrent: while another call with the key is under way: "wait" for its result, or "raise"
                KeyInProgressError.
            on_error: of a FunctionError: "release" the key, or "keep" the error as its result.
            key_in: puts the key into the payload, at this path (``order.key``), where the function's own
                ``@idempotent(event_key_jmespath=...)`` reads it.
            key_as: "durable_execution_name" names the durable execution by the key.
            key_prefix: what the key belongs to, in place of the function's name.
            qualifier: as for :meth:`invoke`, and so are the options that follow.
            log_tail: of the run itself; it is not stored.
            client_context: as for :meth:`invoke`; it does not tell payloads apart.
            tenant_id: as for :meth:`invoke`; a tenant's keys are its own.
            durable_execution_name: as for :meth:`invoke`.
            timeout: seconds per attempt.
            deadline: seconds for the whole call, waiting for another one included.
            idempotent: running it twice does no harm: an unknown outcome is sent again, and frees the key.
            retry: another policy for this call.

        Returns:
            The result; ``replayed`` tells whether it is that of an earlier call.

        Raises:
            KeyConflictError: the key was used with another payload.
            KeyInProgressError: another call has the key (``concurrent="raise"``).
            KeyOutcomeUnknownError: nobody knows whether an earlier call ran the function.
            ResultNotStoredError: it ran, and its result was too large for the store, or the store failed.
            IdempotencyStoreError: the store failed before anything was sent.
            DeadlineExceededError: no time left.
            LambdaInvokeError: anything else, as for :meth:`invoke`.

        Warns:
            IdempotencyWarning: the function ran, and its result could not be stored.
        """
        from lambda_invoke.once.prepare import Settings

        return run_once(
            self,
            function,
            payload,
            qualifier=qualifier,
            options=Options(
                response, log_tail, client_context, tenant_id, durable_execution_name, idempotent
            ),
            terms=terms_of(retry, timeout, deadline),
            settings=Settings(
                key, store, ttl, lock_seconds, concurrent, on_error, key_in, key_as, key_prefix
            ),
        )

    def release_key(
        self,
        function: str,
        *,
        key: str,
        store: KeyStore | None = None,
        key_prefix: str | None = None,
        qualifier: str | None = None,
        tenant_id: str | None = None,
    ) -> bool:
        """Free a key of :meth:`once`, whatever is stored under it: the next call runs the function.

        For one who knows that a call whose outcome is unknown did not run, or wants a result forgotten.
        The arguments are those of the ``once``.

        Returns:
            Whether there was anything.

        Raises:
            RequestError: as :meth:`once`.
            IdempotencyStoreError: the store failed.
        """
        from lambda_invoke.once.prepare import forget

        return forget(
            function,
            qualifier,
            key=key,
            store=store,
            key_prefix=key_prefix,
            tenant_id=tenant_id,
            service=self._sender.service,
            layers=self._once_layers,
        )()


class AsyncOnceMethods(ClientBase):
    """Of the asyncio client."""

    if TYPE_CHECKING:

        async def _drive(self, call: Call[T]) -> T: ...

    @overload
    async def once(
        self,
        function: str,
        payload: object = NO_PAYLOAD,
        *,
        key: str,
        response: None = None,
        **options: Unpack[OnceOptions],
    ) -> OnceResult[Any]: ...
    @overload
    async def once(
        self,
        function: str,
        payload: object = NO_PAYLOAD,
        *,
        key: str,
        response: TypeForm[T],
        **options: Unpack[OnceOptions],
    ) -> OnceResult[T]: ...
    async def once(
        self,
        function: str,
        payload: object = NO_PAYLOAD,
        *,
        key: str,
        store: KeyStore | None = None,
        response: Any = None,
        ttl: float = 3600.0,
        lock_seconds: float | None = None,
        concurrent: Literal["wait", "raise"] = "wait",
        on_error: Literal["release", "keep"] = "release",
        key_in: str | None = None,
        key_as: Literal["durable_execution_name"] | None = None,
        key_prefix: str | None = None,
        qualifier: str | None = None,
        log_tail: bool = False,
        client_context: Any = None,
        tenant_id: str | None = None,
        durable_execution_name: str | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        idempotent: bool = False,
        retry: RetryPolicy | None = None,
    ) -> OnceResult[Any]:
        """Run a function once for a business key; arguments and errors as :meth:`LambdaClient.once`.

        A call that is cancelled settles its key first: it is freed if nothing was sent, and stays locked
        if the function may be running.
        """
        from lambda_invoke.once.prepare import Settings

        return await run_once_async(
            self,
            function,
            payload,
            qualifier=qualifier,
            options=Options(
                response, log_tail, client_context, tenant_id, durable_execution_name, idempotent
            ),
            terms=terms_of(retry, timeout, deadline),
            settings=Settings(
                key, store, ttl, lock_seconds, concurrent, on_error, key_in, key_as, key_prefix
            ),
        )

    async def release_key(
        self,
        function: str,
        *,
        key: str,
        store: KeyStore | None = None,
        key_prefix: str | None = None,
        qualifier: str | None = None,
        tenant_id: str | None = None,
    ) -> bool:
        """Free a key of :meth:`once`; as :meth:`LambdaClient.release_key`."""
        from lambda_invoke.once.drive import to_its_end
        from lambda_invoke.once.prepare import forget

        return await to_its_end(
            forget(
                function,
                qualifier,
                key=key,
                store=store,
                key_prefix=key_prefix,
                tenant_id=tenant_id,
                service=self._sender.service,
                layers=self._once_layers,
            )
        )


def run_once(
    client: OnceMethods,
    function: str,
    payload: object,
    *,
    qualifier: str | None,
    options: Options,
    terms: Terms,
    settings: Settings,
) -> OnceResult[Any]:
    """Of a client's method, and of a handle's."""
    from lambda_invoke.once.drive import drive_once

    steps = _steps(client, function, payload, qualifier, options, terms, settings)
    return drive_once(steps, client._drive, client._clock.sleep)


async def run_once_async(
    client: AsyncOnceMethods,
    function: str,
    payload: object,
    *,
    qualifier: str | None,
    options: Options,
    terms: Terms,
    settings: Settings,
) -> OnceResult[Any]:
    """As :func:`run_once`."""
    import asyncio

    from lambda_invoke.once.drive import drive_once_async

    steps = _steps(client, function, payload, qualifier, options, terms, settings)
    return await drive_once_async(steps, client._drive, client._clock.async_sleep or asyncio.sleep)


def _steps(
    client: ClientBase,
    function: str,
    payload: object,
    qualifier: str | None,
    options: Options,
    terms: Terms,
    settings: Settings,
) -> Steps[OnceResult[Any]]:
    from lambda_invoke.once.prepare import prepare
    from lambda_invoke.once.run import once

    job = prepare(
        client._caller,
        function,
        payload,
        qualifier=qualifier,
        options=options,
        terms=terms,
        settings=settings,
        service=client._sender.service,
        layers=client._once_layers,
    )
    return once(job, now=client._clock.now, wall=time.time, random=client._clock.random)
