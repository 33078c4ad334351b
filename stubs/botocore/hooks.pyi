from collections.abc import Callable
from typing import Any

class BaseEventHooks:
    def emit(self, event_name: str, **kwargs: Any) -> list[tuple[Callable[..., Any], Any]]: ...
    def register(
        self,
        event_name: str,
        handler: Callable[..., Any],
        unique_id: str | None = None,
        unique_id_uses_count: bool = False,
    ) -> None: ...
    def register_first(
        self,
        event_name: str,
        handler: Callable[..., Any],
        unique_id: str | None = None,
        unique_id_uses_count: bool = False,
    ) -> None: ...
    def register_last(
        self,
        event_name: str,
        handler: Callable[..., Any],
        unique_id: str | None = None,
        unique_id_uses_count: bool = False,
    ) -> None: ...
    def unregister(
        self,
        event_name: str,
        handler: Callable[..., Any] | None = None,
        unique_id: str | None = None,
        unique_id_uses_count: bool = False,
    ) -> None: ...

class _PrefixTrie:
    def prefix_search(self, key: str) -> Any: ...

class HierarchicalEmitter(BaseEventHooks):
    _handlers: _PrefixTrie
    def __init__(self) -> None: ...
    def emit_until_response(
        self, event_name: str, **kwargs: Any
    ) -> tuple[Callable[..., Any] | None, Any]: ...

class EventAliaser(BaseEventHooks):
    _emitter: HierarchicalEmitter
    def __init__(
        self, event_emitter: HierarchicalEmitter, event_aliases: dict[str, str] | None = None
    ) -> None: ...
    def emit_until_response(
        self, event_name: str, **kwargs: Any
    ) -> tuple[Callable[..., Any] | None, Any]: ...
