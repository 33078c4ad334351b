"""A handler as a user of AWS Powertools writes it, over the store that the environment names."""

import os
from typing import Any

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent,
)

from lambda_invoke import SqlitePersistenceLayer
from tests.once.handlers import counts


def _layer() -> Any:
    if "KEYS" in os.environ:
        return SqlitePersistenceLayer(os.environ["KEYS"])
    return DynamoDBPersistenceLayer(os.environ["TABLE"])


@idempotent(
    persistence_store=_layer(),
    config=IdempotencyConfig(event_key_jmespath="order.key", raise_on_no_idempotency_key=True),
)
def pays(event: dict[str, Any], context: Any) -> Any:
    return counts(event, context)
