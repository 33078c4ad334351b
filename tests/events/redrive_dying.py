"""Redrives in processes of their own, each of which kills itself at one named instant.

They are forked from one that has imported everything, before it has a thread: that takes its time once.
What runs is written to a file; the signal that each ended by is printed.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
from botocore.config import Config

from lambda_invoke.events.redrive_intake import Intake
from lambda_invoke.events.redrive_settling import Settling
from lambda_invoke.testing import FakeLambda
from tests.events.redrive_tools import Watched


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def redrive(told: dict[str, str]) -> None:
    instant = told["instant"]
    session = boto3.Session("test", "test", region_name="us-east-1")
    watched = Watched(session.client("sqs", endpoint_url=told["moto"], config=Config(proxies={})))
    if instant == "received":
        watched.after["receive_message"] = die
    elif instant == "begun":
        mock.patch.object(Intake, "_decide", die).start()
    elif instant == "replied":
        mock.patch.object(Settling, "store", die).start()
    elif instant in {"stored", "stored-failure"}:
        watched.before["delete_message_batch"] = die
        watched.before["change_message_visibility_batch"] = die
    elif instant == "deleted":
        watched.after["delete_message_batch"] = die

    def handler(event: Any) -> str:
        with Path(told["ran"]).open("a") as file:
            file.write(f"{event['id']}\n")
        if instant == "sent":
            die()
        if instant == "stored-failure":
            raise KeyError
        return "ok"

    fake = FakeLambda()
    fake.function("orders", handler)
    client = fake.client(services=lambda _name: watched)
    client.redrive(
        told["queue"],
        "orders",
        send=True,
        journal=told["journal"],
        visibility_timeout=3,
    )


def main() -> None:
    children = {}
    for told in json.loads(sys.argv[1]):
        child = os.fork()
        if not child:
            redrive(told)
            os._exit(0)
        children[child] = told["instant"]
    ends = {name: -os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child, name in children.items()}
    sys.stdout.write(json.dumps(ends))


if __name__ == "__main__":
    main()
