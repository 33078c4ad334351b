"""The server that all are measured against: nginx where it is on PATH, else the stub of the tests."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from benchmarks.peers.environments import AbsentError
from tests.support.process import ServerProcess
from tests.support.tls import Certificate, authority

if TYPE_CHECKING:
    from collections.abc import Iterator

START_TIMEOUT = 10.0  # seconds

# Its own limits on a connection's age are lifted: connections are kept, as they are by the stub.
NGINX = """
daemon off;
worker_processes 1;
pid {home}/nginx.pid;
error_log stderr error;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  default_type application/json;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  client_body_temp_path {home}/body;
  proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi;
  scgi_temp_path {home}/scgi;
  server {{
    listen 127.0.0.1:{port}{ssl};
    {certificate}
    location / {{ return 200 '{body}'; }}
  }}
}}
"""


@attrs.frozen
class Server:
    """Where it listens, what it is, and the CA's path if it speaks TLS."""

    name: str
    url: str
    ca_bundle: str


@contextlib.contextmanager
def serving(payload: Any, *, tls: bool) -> Iterator[Server]:
    """A server that answers every invocation with this payload."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(nginx(json.dumps(payload), tls=tls))
        except AbsentError as exc:
            print(f"left out: nginx: {exc}; the stub stands in")
            stub = stack.enter_context(ServerProcess(tls=tls))
            server = Server("the stub", stub.url, stub.ca_bundle)
        yield server


@contextlib.contextmanager
def nginx(body: str, *, tls: bool) -> Iterator[Server]:
    """One worker of it, with a fixed answer. Raises AbsentError where it cannot be had."""
    if shutil.which("nginx") is None:
        raise AbsentError("it is not on PATH")
    certificate = ca_bundle = ""
    if tls:
        authority().server_context(Certificate.GOOD)  # which writes it down, key and all
        ca_bundle = str(authority().ca_bundle)
        pem = authority().ca_bundle.with_name(f"{Certificate.GOOD.value}.pem")
        certificate = f"ssl_certificate {pem}; ssl_certificate_key {pem};"
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    with tempfile.TemporaryDirectory() as home:
        file = Path(home) / "nginx.conf"
        ssl = " ssl" if tls else ""
        file.write_text(NGINX.format(home=home, port=port, ssl=ssl, certificate=certificate, body=body))
        process = subprocess.Popen(["nginx", "-p", home, "-c", str(file)])
        try:
            wait_for(port, process)
            yield Server("nginx", f"{'https' if tls else 'http'}://127.0.0.1:{port}", ca_bundle)
        finally:
            process.terminate()
            process.wait()


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return when the port accepts connections; AbsentError if it does not."""
    until = time.monotonic() + START_TIMEOUT
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise AbsentError("it did not start")
