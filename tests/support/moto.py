"""moto's own server on loopback, for what the library reaches by boto3 in processes of its own."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import logging
from typing import TYPE_CHECKING, Any

import attrs
import boto3
from botocore.config import Config
from moto.core.config import default_user_config
from moto.server import ThreadedMotoServer

from tests.support.measuring import unmeasured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


@attrs.frozen
class Moto:
    """A server that runs; ``client`` makes boto3's client of a service of it."""

    url: str
    client: Callable[[str], Any]


def _in_front_of(app: WSGIApplication, *, waits: bool) -> WSGIApplication:
    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        unmeasured()
        if not waits and environ.get("HTTP_X_AMZ_TARGET") == "AmazonSQS.ReceiveMessage":
            asked = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
            body = json.dumps({**asked, "WaitTimeSeconds": 0}).encode()
            environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        return app(environ, start_response)

    return answer


@contextlib.contextmanager
def serving(*, waits: bool = True) -> Iterator[Moto]:
    """Start one on a free port of 127.0.0.1; its account is the same for every key.

    ``waits=False``: a queue without messages says so at once, however long somebody would wait for one.

    All that run in a process share what is in them: names are the tests' own. Its Lambda invokes functions
    itself (for a message of a queue with a mapping, for one): asking for docker would start ``curl``, and
    leave its pipe open.
    """
    default_user_config["lambda"] = {"use_docker": False}
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    assert server._server is not None
    server._server.app = _in_front_of(server._server.app, waits=waits)
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    session = boto3.Session("test", "test", region_name="us-east-1")
    try:
        yield Moto(url, functools.partial(session.client, endpoint_url=url, config=Config(proxies={})))
    finally:
        server.stop()
