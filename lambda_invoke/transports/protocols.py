"""What the library uses of boto3 clients and sessions, as Protocols.

boto3 makes ``client.invoke`` at run time, where no stub checker can see it; a test compares these
with the service model. The package's public annotations use them, so that it needs no boto3 stubs,
and they are loose where those of boto3-stubs are narrow (overloads, Literals), so that its clients fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Services = Callable[[str], Any]
    """Makes boto3's client of a service by its name: ``session.client``, or a ``functools.partial`` of it."""


class BotoLambdaClient(Protocol):
    """A boto3 Lambda client: ``boto3.client("lambda")``, or anything that behaves like it."""

    @property
    def meta(self) -> Any: ...

    def invoke(
        self,
        *,
        FunctionName: str,
        InvocationType: Any = ...,
        LogType: Any = ...,
        ClientContext: str = ...,
        DurableExecutionName: str = ...,
        Payload: bytes = ...,
        Qualifier: str = ...,
        TenantId: str = ...,
    ) -> Mapping[str, Any]: ...
    def get_function_configuration(
        self,
        *,
        FunctionName: str,
        Qualifier: str = ...,
    ) -> Mapping[str, Any]: ...
    def get_event_source_mapping(self, *, UUID: str) -> Mapping[str, Any]: ...
    def get_policy(self, *, FunctionName: str, Qualifier: str = ...) -> Mapping[str, Any]: ...
    def get_function_concurrency(self, *, FunctionName: str) -> Mapping[str, Any]: ...
    def get_account_settings(self) -> Mapping[str, Any]: ...
    def get_function_event_invoke_config(
        self, *, FunctionName: str, Qualifier: str = ...
    ) -> Mapping[str, Any]: ...
    def put_function_event_invoke_config(
        self,
        *,
        FunctionName: str,
        Qualifier: str = ...,
        MaximumRetryAttempts: int = ...,
        MaximumEventAgeInSeconds: int = ...,
        DestinationConfig: Any = ...,
    ) -> Mapping[str, Any]: ...
    def update_function_event_invoke_config(
        self,
        *,
        FunctionName: str,
        Qualifier: str = ...,
        MaximumRetryAttempts: int = ...,
        MaximumEventAgeInSeconds: int = ...,
        DestinationConfig: Any = ...,
    ) -> Mapping[str, Any]: ...
    def delete_function_event_invoke_config(self, *, FunctionName: str, Qualifier: str = ...) -> Any: ...
    def update_function_configuration(
        self, *, FunctionName: str, DeadLetterConfig: Any = ...
    ) -> Mapping[str, Any]: ...
    @property
    def get_paginator(self) -> Callable[..., Any]: ...
    def close(self) -> None: ...


class BotoSession(Protocol):
    """A ``boto3.Session``."""

    @property
    def client(self) -> Callable[..., Any]: ...
