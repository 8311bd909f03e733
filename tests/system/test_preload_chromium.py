"""Chromium with virtual keys by ``tokenkit preload``."""

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

TIMEOUT_S = 400
PIN = "123456"
SITE = Path(__file__).with_name("webauthn_site.py")
TOKENKIT = [sys.executable, "-m", "tokenkit"]
PACKAGES = {"chromium": "chromium", "cc": "gcc libc6-dev", "Xvfb": "xvfb", "xdotool": "xdotool"}
_MISSING = [package for program, package in PACKAGES.items() if shutil.which(program) is None]
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="hidraw is Linux's"),
    pytest.mark.skipif(bool(_MISSING), reason=f"apt-get install {' '.join(_MISSING)}"),
]


def tokenkit(*args: str) -> str:
    done = subprocess.run(
        [*TOKENKIT, *args],
        env=os.environ | {"TOKENKIT_PIN": PIN, "TOKENKIT_NEW_PIN": PIN},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.stdout, done.stderr
    return done.stdout


def test_the_console_takes_a_key() -> None:
    if find_spec("playwright") is None:
        pytest.skip("playwright is not installed: pip install playwright")
    visit = (sys.executable, str(SITE.with_name("console_visit.py")))
    said = json.loads(tokenkit("preload", "--key", "yubikey-5.7", "--", *visit))
    assert "Last used\nnever" in said["assigned"]
    assert "Last used\nnever" not in said["signed_in"]


def visit(key: str, *options: str) -> dict[str, Any]:
    site = (sys.executable, str(SITE), *options)
    said: dict[str, Any] = json.loads(tokenkit("preload", "--key", key, "--", *site))
    return said


@pytest.mark.parametrize("profile", ["reference", "yubikey-5.7", "u2f-only"])
def test_it_registers_and_signs_in(profile: str) -> None:
    assert visit(profile)["assertion"] == {"signed_in": "ann", "user_verified": False}


VERIFIED = {"signed_in": "ann", "user_verified": True}


def test_a_key_that_verifies_a_finger(tmp_path: Path) -> None:
    key = f"?state={tmp_path / 'key.db'}"
    tokenkit("keys", "pin", "set", f"virtual:yubikey-bio{key}")
    tokenkit("keys", "bio", "enroll", f"virtual:{key}")
    assert visit(key, "--uv", "required", "--resident")["assertion"] == VERIFIED


def test_a_passkey_with_a_pin_in_the_browsers_own_dialog(tmp_path: Path) -> None:
    key = f"?state={tmp_path / 'key.db'}"
    tokenkit("keys", "pin", "set", f"virtual:yubikey-5.7{key}")
    said = visit(key, "--uv", "required", "--resident", "--pin", PIN)
    assert said["assertion"] == VERIFIED
    listed = json.loads(tokenkit("keys", "creds", "list", "--json", f"virtual:{key}"))
    assert "localhost" in json.dumps(listed)
