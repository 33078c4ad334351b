#!/usr/bin/env python3
"""A runtime in pure Python, which knows nothing of this project: it answers with the headers it got."""

import json
import os
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path

PREFIX = "/2018-06-01/runtime"


def main() -> None:
    connection = HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

    def call(method: str, path: str, body: str | None = None) -> tuple[dict[str, str], bytes]:
        connection.request(method, PREFIX + path, body)
        response = connection.getresponse()
        return dict(response.getheaders()), response.read()

    if os.environ["_HANDLER"] == "fails.init":
        call("POST", "/init/error", json.dumps({"errorMessage": "no config", "errorType": "ConfigError"}))
        sys.exit(1)
    order: dict[str, str] = {}
    os.closerange(3, 256)  # as daemons do: no pipe of anybody is left
    while True:
        if order.get("then") == "leave":  # ask, hang up, and ask again
            connection.request("GET", f"{PREFIX}/invocation/next")
            connection.close()
            connection.request("GET", f"{PREFIX}/invocation/next")
            Path(order["asked"]).touch()
            response = connection.getresponse()
            headers, event = dict(response.getheaders()), response.read()
        else:
            headers, event = call("GET", "/invocation/next")
        request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        order = json.loads(event) or {}
        if "grandchildren" in order:
            nap = [sys.executable, "-c", "import time; time.sleep(60)"]
            child = subprocess.Popen(nap)
            stray = subprocess.Popen(nap, start_new_session=True)
            Path(order["grandchildren"]).write_text(f"{os.getpid()} {child.pid} {stray.pid}")
            time.sleep(60)
        answer = {"event": order, "headers": headers, "environment": dict(os.environ), "argv": sys.argv[1:]}
        call("POST", f"/invocation/{request_id}/response", json.dumps(answer))


main()
