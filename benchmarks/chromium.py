"""Chromium's virtual authenticator, driven by ChromeDriver, where both are installed."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from benchmarks.measure import Row

ROUNDS = 100
ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCRIPT = """
const done = arguments[arguments.length - 1], rounds = arguments[0];
const challenge = new Uint8Array(32), id = new Uint8Array([1]);
const timed = async (act) => {
  await act();
  const start = performance.now();
  for (let i = 0; i < rounds; i++) await act();
  return (performance.now() - start) / 1000 / rounds;
};
(async () => {
  let made;
  const create = await timed(async () => {
    made = await navigator.credentials.create({publicKey: {
      rp: {id: "localhost", name: "bench"}, user: {id, name: "u", displayName: "u"}, challenge,
      pubKeyCredParams: [{type: "public-key", alg: -7}],
      authenticatorSelection: {userVerification: "discouraged"}}});
  });
  const get = await timed(() => navigator.credentials.get({publicKey: {
    challenge, rpId: "localhost", userVerification: "discouraged",
    allowCredentials: [{type: "public-key", id: made.rawId}]}}));
  done({create, get});
})().catch((error) => done({error: String(error)}));
"""


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<!doctype html><title>bench</title>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def rows() -> Iterator[Row]:
    driver, browser = shutil.which("chromedriver"), shutil.which("chromium")
    if driver is None or browser is None:
        return
    with contextlib.ExitStack() as stack:
        page = HTTPServer(("127.0.0.1", 0), _Page)
        threading.Thread(target=page.serve_forever, daemon=True).start()
        stack.callback(page.shutdown)
        port = _free_port()
        process = subprocess.Popen(
            [driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        stack.callback(process.wait)
        stack.callback(process.terminate)
        profile = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        options = {
            "binary": browser,
            "args": [*ARGUMENTS, f"--user-data-dir={os.path.join(profile, 'data')}"],
        }
        capabilities = {"alwaysMatch": {"goog:chromeOptions": options}}
        base = f"http://127.0.0.1:{port}/session"
        session = f"{base}/{_start(base, {'capabilities': capabilities})['sessionId']}"
        stack.callback(_call, session, None, "DELETE")
        _call(f"{session}/url", {"url": f"http://localhost:{page.server_port}/"})
        authenticator = {
            "protocol": "ctap2",
            "transport": "usb",
            "hasUserVerification": False,
            "isUserConsenting": True,
        }
        _call(f"{session}/webauthn/authenticator", authenticator)
        _call(f"{session}/timeouts", {"script": 60_000})
        result = _call(f"{session}/execute/async", {"script": SCRIPT, "args": [ROUNDS]})
    if "error" in result:
        raise RuntimeError(f"Chromium: {result['error']}")
    for what in ("create", "get"):
        yield Row("security key", f"Chromium's virtual authenticator, {what}", result[what])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _start(url: str, body: dict[str, Any]) -> Any:
    """The first call, repeated until ChromeDriver listens."""
    for _ in range(100):
        try:
            return _call(url, body)
        except urllib.error.HTTPError:
            raise
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("chromedriver did not start")


def _call(url: str, body: dict[str, Any] | None, method: str = "POST") -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=90) as response:
        return json.load(response)["value"]
