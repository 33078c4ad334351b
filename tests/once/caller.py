"""A process that calls ``once``: its arguments as JSON, a line for what came of each call."""

import json
import sys
import threading
from typing import Any

from lambda_invoke import DynamoDBTable, LambdaClient, LambdaInvokeError


def main() -> None:
    options = json.loads(sys.argv[1])
    store: Any = options.get("path") or DynamoDBTable(options["table"])
    services = None
    if "services" in options:
        import boto3
        from botocore.config import Config

        def services(name: str) -> Any:
            return boto3.client(name, endpoint_url=options["services"], config=Config(proxies={}))

    client = LambdaClient(endpoint_url=options["endpoint"], services=services)
    together = threading.Barrier(options["threads"])
    lines: list[str] = []

    def call() -> None:
        together.wait()
        try:
            result = client.once(
                "f", options["payload"], key=options["key"], store=store, **options.get("terms", {})
            )
        except LambdaInvokeError as error:
            lines.append(f"{type(error).__name__} {error.executed.name}")
        else:
            lines.append(f"{result.value['run']} {result.replayed}")

    threads = [threading.Thread(target=call) for _ in range(options["threads"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.close()
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    main()
