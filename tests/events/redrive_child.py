"""A redrive in a process of its own, to be killed: says how far it is, and its report if it gets there."""

import functools
import json
import sys

import boto3
from botocore.config import Config

from lambda_invoke import LambdaClient


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    told = json.loads(sys.argv[1])
    session = boto3.Session(told["key"], told["secret"], region_name="us-east-1")
    services = functools.partial(session.client, endpoint_url=told["moto"], config=Config(proxies={}))
    with LambdaClient(session=session, endpoint_url=told["lambda"], services=services) as client:
        client.invoke("orders", {"file": "/dev/null", "id": 0, "seconds": 0})  # imports and connects
        say("begins")
        report = client.redrive(
            told["queue"],
            told["function"],
            send=True,
            as_events=told["as_events"],
            journal=told["journal"],
            visibility_timeout=3,
            concurrency=8,
            progress=lambda progress: say("sending") if progress.done else None,
        )
    say(json.dumps(report.as_dict()))


if __name__ == "__main__":
    main()
