"""A site that registers a security key and signs in with it, and a browser that visits it.

As a program: ``python webauthn_site.py [--uv required] [--resident] [--pin PIN]`` starts Chromium
on the site, and prints as JSON what the browser and the verifier said of each ceremony. With a PIN
Chromium has a screen (Xvfb), and xdotool types it when the browser's own dialog asks. Exit status 0
if browser and verifier were content with both ceremonies.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlencode

from browser import FLAGS

from tokenkit.verifier import Verifier, VerifierError, WebAuthnPolicy

PAGE = b"""<!doctype html>
<meta charset="utf-8">
<title>Security key</title>
<h1>Security key</h1>
<pre id="said">Touch your security key.</pre>
<script>
const query = new URLSearchParams(location.search);
async function post(path, value) {
  const answer = await fetch(path, {method: "POST", body: JSON.stringify(value)});
  return answer.json();
}
async function register() {
  const {id, options} = await post("/begin-registration", {uv: query.get("uv")});
  if (query.get("resident")) options.authenticatorSelection.residentKey = "required";
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  const credential = await navigator.credentials.create({publicKey});
  return post("/complete-registration", {id, answer: credential.toJSON()});
}
async function signIn() {
  const {id, options} = await post("/begin-assertion", {uv: query.get("uv")});
  if (query.get("resident")) options.allowCredentials = [];
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  const credential = await navigator.credentials.get({publicKey});
  return post("/complete-assertion", {id, answer: credential.toJSON()});
}
async function all() {
  const said = {};
  try {
    said.registration = await register();
    said.assertion = await signIn();
  } catch (error) {
    said.error = `${error.name}: ${error.message}`;
  }
  document.getElementById("said").textContent = JSON.stringify(said, null, 2);
  await post("/done", said);
}
all();
</script>
"""
USER = "ann"
DISPLAY = ":77"


class Site:
    """On http://localhost at any free port, from ``start`` to ``close``."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.said: dict[str, Any] = {}
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = self.path.partition("?")[0] == "/"
                self._send(200 if found else 404, "text/html", PAGE if found else b"")

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                said = json.dumps(site.answer(self.path, body)).encode()
                self._send(200, "application/json", said)

            def _send(self, status: int, kind: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://localhost:{self._http.server_port}"
        policy = WebAuthnPolicy(
            rp_id="localhost", origin=self.origin, user_verification="discouraged"
        )
        self._verifier = Verifier(webauthn=policy)
        self._verifier.create_user(USER)

    def start(self) -> None:
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._verifier.close()

    def answer(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """What the page is told; what the verifier refuses is said, too."""
        verifier = self._verifier
        try:
            if path == "/begin-registration":
                begun = verifier.begin_registration(USER, user_verification=body["uv"])
                return {"id": begun.id, "options": dict(begun.options)["publicKey"]}
            if path == "/complete-registration":
                device = verifier.complete_registration(body["id"], body["answer"])
                return {"registered": device.serial_number}
            if path == "/begin-assertion":
                begun = verifier.begin_assertion(USER, user_verification=body["uv"])
                return {"id": begun.id, "options": dict(begun.options)["publicKey"]}
            if path == "/complete-assertion":
                signed = verifier.complete_assertion(body["id"], body["answer"])
                return {"signed_in": signed.user, "user_verified": signed.user_verified}
            self.said = body
            self.done.set()
            return {}
        except VerifierError as error:
            return {"refused": str(error)}


def visit(uv: str, *, resident: bool, pin: str | None, timeout_s: float) -> dict[str, Any]:
    """What the page said after a visit by Chromium."""
    site = Site()
    site.start()
    query = urlencode({"uv": uv, **({"resident": "1"} if resident else {})})
    # what Chromium's helpers write while they die is left alone
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, ExitStack() as stack:
        stack.callback(site.close)
        log = stack.enter_context(open(os.path.join(folder, "log"), "w+b"))
        environment = dict(os.environ)

        def start(*command: str) -> None:
            program = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
            stack.callback(program.wait)
            stack.callback(program.kill)

        screen = ["--headless=new"]
        if pin is not None:
            screen = []
            environment["DISPLAY"] = DISPLAY
            start("Xvfb", DISPLAY, "-screen", "0", "1000x800x24")
        start("chromium", *FLAGS, *screen, f"--user-data-dir={folder}", f"{site.origin}/?{query}")
        if pin is not None:
            threading.Thread(target=enter_pin, args=(pin, site.done), daemon=True).start()
        if site.done.wait(timeout_s):
            return site.said
        log.seek(0)
        said = log.read()[-4000:].decode(errors="replace")
        return {"error": f"nothing within {timeout_s} s", "log": said}


def enter_pin(pin: str, done: threading.Event) -> None:
    """Type the PIN into each dialog that opens over the browser's window."""
    environment = {**os.environ, "DISPLAY": DISPLAY}

    def xdotool(*arguments: str) -> str:
        command = ["xdotool", *arguments]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True)
        return ended.stdout

    windows: list[str] = []
    while not done.wait(2):
        before, windows = windows, xdotool("search", "--onlyvisible", "--name", "").split()
        if len(windows) > 1 and windows == before:  # the dialog has had time to be drawn
            xdotool("key", "ctrl+a")
            xdotool("type", "--delay", "100", pin)
            xdotool("key", "Return")
            windows = []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uv", default="discouraged")
    parser.add_argument("--resident", action="store_true")
    parser.add_argument("--pin")
    parser.add_argument("--timeout", type=float, default=300.0)
    options = parser.parse_args()
    said = visit(options.uv, resident=options.resident, pin=options.pin, timeout_s=options.timeout)
    print(json.dumps(said, indent=2))
    good = "registered" in said.get("registration", {}) and "signed_in" in said.get("assertion", {})
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
