"""Handlers with ``@idempotent`` and callers with ``once``: one store for both, and one key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import lambda_invoke as li
from lambda_invoke.local import Function, LocalLambda

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.once.stores import Place

ROOT = Path(__file__).parents[2]
HANDLER = f"{Path(__file__).parent / 'powertools_handlers.py'}:pays"
KEY = "order-17"


@pytest.fixture
def local(shared: Place) -> Iterator[LocalLambda]:
    """A function that is idempotent itself, over the store that the caller's keys are in."""
    environment = {"PYTHONPATH": str(ROOT)}
    if shared.moto is None:
        environment["KEYS"] = str(shared.store)
    else:
        environment |= {
            "TABLE": shared.store.table_name,
            "AWS_ENDPOINT_URL_DYNAMODB": shared.moto.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
    with LocalLambda({"pay": Function(HANDLER, environment=environment, timeout=60)}) as one:
        yield one


def test_one_store_and_one_key(local: LocalLambda, shared: Place, tmp_path: Path) -> None:
    """The records do not collide; the key in the payload is the one that the handler reads.

    So a call whose outcome was lost, and whose key was released, is sent again and runs nothing again:
    the handler's own record gives the first run's result.
    """
    file = tmp_path / "ran"
    payload = {"file": str(file), "order": {"n": 1}}
    options: dict[str, Any] = {"key": KEY, "key_in": "order.key", "store": shared.store}
    with local.client(services=shared.moto.client if shared.moto else None) as client:
        first = client.once("pay", payload, **options)
        assert client.once("pay", payload, **options).replayed
        records = shared.records()
        ours = [key for key in records if key.startswith("lambda_invoke.once:pay#")]
        theirs = [key for key in records if key.startswith("pay.")]
        assert (len(ours), len(theirs)) == (1, 1)
        assert {row["status"] for row in records.values()} == {"COMPLETED"}
        assert client.release_key("pay", key=KEY, store=shared.store)
        again = client.once("pay", payload, **options)
        assert not again.replayed
        assert again.value == first.value
        assert again.request_id != first.request_id
        with pytest.raises(li.HandlerError, match="No data found to create a hashed idempotency_key"):
            client.once("pay", payload, key="another", store=shared.store)
    assert len(file.read_text().splitlines()) == 1
    assert KEY not in str({key: row for key, row in shared.records().items() if key in ours})


def test_the_callers_own_layer(local: LocalLambda, shared: Place, tmp_path: Path) -> None:
    """A layer of Powertools' can be given as it is; its own configuration stays what it is."""
    from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig

    layer: Any
    if shared.moto is None:
        layer = li.SqlitePersistenceLayer(shared.store)
    else:
        boto_client = shared.moto.client("dynamodb")
        layer = DynamoDBPersistenceLayer(shared.store.table_name, boto3_client=boto_client)
    layer.configure(IdempotencyConfig(event_key_jmespath="a"), "handler")
    before = dict(vars(layer))
    payload = {"file": str(tmp_path / "ran"), "order": {"n": 1}}
    with local.client() as client:
        results = [
            client.once("pay", payload, key=KEY, key_in="order.key", store=store) for store in (layer, layer)
        ]
    assert [one.replayed for one in results] == [False, True]
    assert vars(layer) == before
    assert len(shared.records()) == 2
