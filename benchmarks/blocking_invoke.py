"""CPU per blocking ``invoke``, beside a bare ``client.invoke`` and ``json.loads`` in the same run.

Both send the same payload over one kept-alive connection to a server in another process. Aim: at
most 1.10 times the bare call (docs/design/transport.md has the figures).
"""

from __future__ import annotations

import json
import os
import statistics
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from benchmarks._measure import interleaved, numbers, ratio
from lambda_invoke import LambdaClient
from tests.support.process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Callable

AIM = 1.10
PAYLOAD = {"id": 17, "name": "reports", "pages": [1, 2, 3], "note": "forty characters of text, or about that"}


def main() -> None:
    """Measure and print."""
    calls, rounds = numbers(300, 15)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    session = boto3.Session(
        aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="example", region_name="us-east-1"
    )
    with ServerProcess(record=False) as server:
        bare = session.client(
            "lambda", endpoint_url=server.url, config=Config(retries={"total_max_attempts": 1})
        )
        built = LambdaClient(session=session, endpoint_url=server.url)
        handed = LambdaClient(bare)

        def bare_invoke() -> object:
            answer = bare.invoke(FunctionName="echo", Payload=json.dumps(PAYLOAD).encode())
            return json.loads(answer["Payload"].read())

        peers: dict[str, Callable[[], object]] = {
            "bare client.invoke + json": bare_invoke,
            "LambdaClient (built)": lambda: built.invoke("echo", PAYLOAD).value,
            "LambdaClient (handed over)": lambda: handed.invoke("echo", PAYLOAD).value,
        }
        assert {str(call()) for call in peers.values()} == {str(PAYLOAD)}
        measured = interleaved(peers, calls=calls, rounds=rounds)
        built.close()
    for name, values in measured.items():
        times = ratio(measured, name, "bare client.invoke + json")
        print(f"{name:28} {statistics.median(values) * 1e6:7.0f} us CPU per invoke   {times:5.2f} x bare")
    reached = ratio(measured, "LambdaClient (built)", "bare client.invoke + json")
    print(f"aim: at most {AIM:.2f} x bare; {'reached' if reached <= AIM else 'NOT reached'} ({reached:.2f})")


if __name__ == "__main__":
    main()
