"""Somebody at the console with a security key that the system has: assigns it, signs in with it.

As a program: prints as JSON what the console showed. The key is what Chromium finds at
/dev/hidraw*, so this is run while one is served: in a guest on uhid, or by preload.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from browser import FLAGS
from playwright.sync_api import Page, sync_playwright

PASSWORD = "correct horse battery"
PATIENCE_MS = 240_000  # an emulated processor is slow


@contextmanager
def console() -> Iterator[str]:
    """The address of the console of a new service."""
    served = subprocess.Popen(
        [sys.executable, "-m", "tokenkit", "serve", "--port", "0", "--json"],
        stdout=subprocess.PIPE,
        env={**os.environ, "TOKENKIT_ROOT_PASSWORD": PASSWORD},
        text=True,
    )
    try:
        assert served.stdout is not None
        yield json.loads(served.stdout.readline())["console"]
    finally:
        served.terminate()
        served.wait()


def sign_in(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_label("User name").fill("root")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def visit(page: Page, address: str) -> dict[str, Any]:
    """What the console shows after the key was assigned, and after it signed in."""
    sign_in(page, address)
    page.get_by_role("link", name="Assign MFA device").first.click()
    page.get_by_label("Device name").fill("my-key")
    page.get_by_role("radio", name="Security key").check()
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Register security key").click()
    key = page.get_by_role("listitem").filter(has_text="my-key")
    key.wait_for()
    assigned = key.inner_text()
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, address)
    page.get_by_role("button", name="Use security key").click()
    key.wait_for()
    return {"assigned": assigned, "signed_in": key.inner_text()}


def main() -> int:
    with console() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=FLAGS, timeout=PATIENCE_MS
        )
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        print(json.dumps(visit(page, address)))
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
