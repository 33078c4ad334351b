"""Credentials for signing on an event loop: refreshed once for all callers, and off the loop."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any

from botocore.exceptions import NoCredentialsError

from lambda_invoke.transports.threads import DaemonThreads, in_thread

if TYPE_CHECKING:
    from collections.abc import Callable


_CHECK_SECONDS = 1.0
"""Between two looks at whether they need a refresh; botocore refreshes 10 to 15 minutes ahead."""


class LoopCredentials:
    """What a boto3 client signs with, for one event loop.

    ``source`` is botocore's credentials object: static, refreshable, or any provider's own.
    """

    def __init__(self, source: Any, threads: DaemonThreads) -> None:
        self._loop = asyncio.get_running_loop()
        self._source = source
        self._threads = threads
        self._frozen: Any = None
        self._check_at = 0.0
        self._refreshing: asyncio.Future[Any] | None = None

    def current(self) -> Any:
        """Frozen credentials that need no look; None: ask :meth:`get`."""
        return self._frozen if self._loop.time() < self._check_at else None

    async def get(self) -> Any:
        """Frozen credentials: ``access_key``, ``secret_key``, ``token``.

        Raises:
            NoCredentialsError: there are none.
            BotoCoreError: they could not be refreshed.
        """
        if self._source is None:
            raise NoCredentialsError
        needed = getattr(self._source, "refresh_needed", None)
        if self._frozen is None or needed is None or needed():
            return await self._fetch(self._source.get_frozen_credentials)
        self._check_at = self._loop.time() + _CHECK_SECONDS
        return self._frozen

    async def refused(self, used: Any) -> bool:
        """The service refused ``used`` as expired: fetch anew; whether that brought others."""
        refresh = getattr(self._source, "_protected_refresh", None)
        if self._frozen is used and refresh is not None:
            await self._fetch(functools.partial(self._force, refresh))
        return self._frozen is not None and self._frozen != used

    def _force(self, refresh: Callable[..., None]) -> Any:
        refresh(is_mandatory=True)
        return self._source.get_frozen_credentials()

    async def _fetch(self, fetch: Callable[[], Any]) -> Any:
        """Fetch in a thread, once for all who ask meanwhile."""
        if self._refreshing is None:
            self._refreshing = asyncio.ensure_future(self._refresh(fetch))
        return await asyncio.shield(self._refreshing)

    async def _refresh(self, fetch: Callable[[], Any]) -> Any:
        # Set here and not when the task is done: between the two a caller would see the old ones.
        try:
            self._frozen = await in_thread(self._threads, fetch)
            self._check_at = self._loop.time() + _CHECK_SECONDS
        finally:
            self._refreshing = None
        return self._frozen
