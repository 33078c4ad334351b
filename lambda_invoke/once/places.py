"""Where keys are stored: from what a caller gives as ``store`` to a :class:`Store`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from lambda_invoke.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_lambda_powertools.utilities.idempotency.persistence.base import BasePersistenceLayer

    from lambda_invoke.once.store import Store

    KeyStore: TypeAlias = "str | os.PathLike[str] | DynamoDBTable | BasePersistenceLayer"
    """Where ``once`` stores its keys: a SQLite file, a table, or a persistence layer of AWS Powertools."""

MISSING = (
    "once stores its keys with the persistence layers of AWS Powertools, which are not installed: "
    "pip install 'lambda-invoke-sdk[idempotency]'"
)


@attrs.frozen
class DynamoDBTable:
    """A DynamoDB table for ``once``, reached with the client's own session (or its ``services=``).

    The table is one as AWS Powertools uses it: a string partition key ``id``, and DynamoDB's TTL on
    ``expiration``; handlers may share it. ``key_attr``, ``sort_key_attr`` and ``static_pk_value`` are
    those of Powertools' ``DynamoDBPersistenceLayer``, which may itself be given as ``store`` where more
    than that differs.
    """

    table_name: str
    key_attr: str = "id"
    sort_key_attr: str | None = None
    static_pk_value: str | None = None


def default_path(environ: Mapping[str, str]) -> Path:
    """``$XDG_STATE_HOME/lambda_invoke/once.sqlite3``, by default in ``~/.local/state``.

    Source: XDG Base Directory Specification 0.8 (a relative path counts as none).
    """
    given = Path(environ.get("XDG_STATE_HOME", ""))
    home = given if given.is_absolute() else Path.home() / ".local" / "state"
    return home / "lambda_invoke" / "once.sqlite3"


def check_store(store: object) -> None:
    """Refuse what is no store, before anything is done.

    Raises:
        RequestError: it is none, or AWS Powertools is not installed.
    """
    try:
        from aws_lambda_powertools.utilities.idempotency.persistence.base import BasePersistenceLayer
    except ImportError as error:
        raise RequestError(MISSING) from error
    if isinstance(store, str | os.PathLike):
        from lambda_invoke.once.sqlite import checked_path

        checked_path(store)
    elif store is not None and not isinstance(store, DynamoDBTable | BasePersistenceLayer):
        raise RequestError(
            "store is a path, a DynamoDBTable or a persistence layer of AWS Powertools, not "
            f"{type(store).__name__}"
        )


def open_store(store: Any, scope: str, service: Callable[[str], Any], layers: dict[Any, Any]) -> Store:
    """The store that a caller means. Blocking: it may make a client, and a directory.

    Args:
        store: as given.
        scope: what the keys belong to.
        service: makes boto3's client of a service.
        layers: the client's layers, by what they were made of: each boto3 client gets one layer.

    Raises:
        IdempotencyStoreError: the directory cannot be made.
        RequestError: nothing says where DynamoDB is.
    """
    from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer

    from lambda_invoke.once.dynamodb import DynamoDBStore
    from lambda_invoke.once.sqlite import SqlitePersistenceLayer, SqliteStore, checked_path, make_directory
    from lambda_invoke.once.store import Store

    layer = store
    if store is None:
        store = default_path(os.environ)
        make_directory(store.parent)
    if isinstance(store, str | os.PathLike):
        path = checked_path(store)
        layer = layers.get(path)
        if layer is None:
            layer = layers[path] = SqlitePersistenceLayer(path)
    elif isinstance(store, DynamoDBTable):
        client = service("dynamodb")
        layer = layers.get(store)
        if layer is None or layer.client is not client:
            options = attrs.asdict(store)
            layer = layers[store] = DynamoDBPersistenceLayer(**options, boto3_client=client)
    if isinstance(layer, SqlitePersistenceLayer):
        return SqliteStore(layer, scope)
    if isinstance(layer, DynamoDBPersistenceLayer):
        return DynamoDBStore(layer, scope)
    return Store(layer, scope)
