"""A worker that speaks the Runtime API by itself and streams, step by step as the event says.

An event is a list of steps: ``["write", text]``, ``["zeros", count]``, ``["wait", file]``,
``["touch", file]``,
``["fail", error type, error body]``, ``["break"]``, ``["exit", code]``, ``["error", payload]``,
``["whole", text]``. ``["mode", value]`` and ``["headers", {...}]`` come before the first that is sent.
"""

import base64
import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

AUTHORITY, _, ADDRESS = os.environ["AWS_LAMBDA_RUNTIME_API"].rpartition("@")
INVOCATION = "/2018-06-01/runtime/invocation"


class Connection:
    def __init__(self) -> None:
        host, port = ADDRESS.split(":")
        self.socket = socket.create_connection((host, int(port)))
        self.file = self.socket.makefile("rb")

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> None:
        token = base64.b64encode(AUTHORITY.encode()).decode()
        lines = [f"{method} {path} HTTP/1.1", f"Host: {ADDRESS}", f"Authorization: Basic {token}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def receive(self) -> tuple[int, dict[str, str], bytes]:
        status = int(self.file.readline().split()[1])
        headers = {}
        while (line := self.file.readline().decode().rstrip("\r\n")) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return status, headers, self.file.read(int(headers.get("content-length", "0")))

    def close(self) -> None:
        self.file.close()
        self.socket.close()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def reply(request_id: str, steps: Any) -> None:
    connection = Connection()
    connection.send("GET", "/", {})  # once it is answered, the connection's owner is known
    connection.receive()
    path = f"{INVOCATION}/{request_id}/response"
    headers = {"Transfer-Encoding": "chunked", "Lambda-Runtime-Function-Response-Mode": "streaming"}
    begun = False
    trailers = ""
    for kind, *values in steps:
        if kind == "headers":
            headers = values[0]
        elif kind == "mode":
            headers["Lambda-Runtime-Function-Response-Mode"] = values[0]
        elif kind == "error":
            body = json.dumps(values[0]).encode()
            path = f"{INVOCATION}/{request_id}/error"
            connection.send("POST", path, {"Content-Length": str(len(body))}, body)
            connection.receive()
            return connection.close()
        elif kind == "wait":
            while not Path(values[0]).exists():
                time.sleep(0.005)
        elif kind == "touch":
            Path(values[0]).touch()
        elif kind == "exit":
            os._exit(values[0])
        elif kind == "break":
            connection.close()
            return time.sleep(0)
        elif kind == "fail":
            trailers = f"Lambda-Runtime-Function-Error-Type: {values[0]}\r\n"
            trailers += f"Lambda-Runtime-Function-Error-Body: {values[1]}\r\n"
        else:
            if not begun:
                connection.send("POST", path, {"Trailer": "Lambda-Runtime-Function-Error-Type", **headers})
                begun = True
            if kind == "zeros":
                for _ in range(values[0] // 65_536):
                    connection.socket.sendall(chunk(bytes(65_536)))
            elif kind == "write":
                connection.socket.sendall(chunk(values[0].encode("latin-1")))
            else:
                connection.socket.sendall(values[0].encode("latin-1"))
    if not begun:
        connection.send("POST", path, headers)
    if "Transfer-Encoding" in headers:
        connection.socket.sendall(b"0\r\n" + trailers.encode() + b"\r\n")
    print("answered", connection.receive()[0], flush=True)
    connection.close()
    return None


def main() -> None:
    connection = Connection()
    while True:
        connection.send("GET", f"{INVOCATION}/next", {})
        _, headers, event = connection.receive()
        try:
            reply(headers["lambda-runtime-aws-request-id"], json.loads(event))
        except (ConnectionError, ValueError, IndexError):
            print("the reply was not taken", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
