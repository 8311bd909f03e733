"""Chromium registers a key at /dev/hidrawN at a relying party, and signs in with it.

``python browser.py [--verified]`` serves a page on localhost, opens it in Chromium, judges with
python-fido2 what the page sends back, and prints JSON like clients.py. It needs no display and no
virtual authenticator of Chromium's: the key is what the operating system shows. With
``--verified`` the relying party demands user verification, which the key must do by itself.
"""

import argparse
import json
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

# generous: in a guest without hardware support a page takes half a minute
TIMEOUT_S = 300.0
PACKAGE = "chromium"
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PAGE = """<!doctype html><title>relying party</title><script>
const ask = async (path, body) =>
  (await fetch(path, {method: "POST", body: JSON.stringify(body)})).json();
(async () => {
  const made = await navigator.credentials.create({
    publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(await ask("/begin", null))});
  const signed = await navigator.credentials.get({
    publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(await ask("/made", made))});
  await ask("/signed", signed);
})().catch((error) => ask("/failed", String(error)));
</script>"""


class RelyingParty:
    """Answers what the page asks; ``outcome`` is None once it has signed in, else what failed."""

    def __init__(self, origin: str, verification: str) -> None:
        from fido2.server import Fido2Server
        from fido2.webauthn import PublicKeyCredentialRpEntity

        self._server = Fido2Server(
            PublicKeyCredentialRpEntity(id="localhost", name="desk"),
            verify_origin=lambda seen: seen == origin,
        )
        self._verification = verification
        self._state: Any = None
        self._credential: Any = None
        self.outcome: queue.Queue[str | None] = queue.Queue()

    def answer(self, path: str, body: Any) -> Any:
        verification: Any = self._verification
        if path == "/begin":
            user: Any = {"id": b"joe", "name": "joe", "displayName": "Joe"}
            options, self._state = self._server.register_begin(user, user_verification=verification)
            return dict(options.public_key)
        if path == "/made":
            self._credential = self._server.register_complete(self._state, body).credential_data
            request, self._state = self._server.authenticate_begin(
                [self._credential], user_verification=verification
            )
            return dict(request.public_key)
        if path == "/signed":
            self._server.authenticate_complete(self._state, [self._credential], body)
            self.outcome.put(None)
        else:
            self.outcome.put(str(body))
        return None


@contextmanager
def served(verification: str) -> Iterator[tuple[str, RelyingParty]]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(PAGE.encode() if self.path == "/" else b"", "text/html")

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                answer = party.answer(self.path, body)
            except Exception as error:  # noqa: BLE001 - whatever it is, the page waits for it
                party.outcome.put(f"{self.path}: {type(error).__name__}: {error}")
                answer = None
            self._say(json.dumps(answer).encode(), "application/json")

        def _say(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        url = f"http://localhost:{server.server_port}"
        party = RelyingParty(url, verification)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield url, party
        finally:
            server.shutdown()
            thread.join()


def register_and_sign_in(verification: str) -> str | None:
    """None if it held, else what went wrong."""
    browser = shutil.which("chromium")
    if browser is None:
        return f"not installed: apt-get install {PACKAGE}"
    with served(verification) as (url, party), tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "said"
        with said.open("w") as output:
            process = subprocess.Popen(
                [browser, *FLAGS, f"--user-data-dir={folder}/profile", url],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            return party.outcome.get(timeout=TIMEOUT_S)
        except queue.Empty:
            return f"Chromium did not sign in within {TIMEOUT_S:.0f} s: {said.read_text()[-2000:]}"
        finally:
            process.terminate()
            process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description="Register and sign in with Chromium.")
    parser.add_argument("--verified", action="store_true", help="demand user verification")
    parser.add_argument("--out", help="write the JSON into this file in place of standard output")
    arguments = parser.parse_args()
    verification = "required" if arguments.verified else "discouraged"
    text = json.dumps({f"chromium_{verification}": register_and_sign_in(verification)}) + "\n"
    if arguments.out:
        Path(arguments.out).write_text(text)
    else:
        sys.stdout.write(text)
    return int(": null" not in text)


if __name__ == "__main__":
    sys.exit(main())
