"""Chromium with virtual keys by ``tokenkit preload``."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TIMEOUT_S = 400
BROWSER = Path(__file__).with_name("browser.py")
TOKENKIT = [sys.executable, "-m", "tokenkit"]
_MISSING = [
    package
    for program, package in (("chromium", "chromium"), ("cc", "gcc libc6-dev"))
    if shutil.which(program) is None
]
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="hidraw is Linux's"),
    pytest.mark.skipif(bool(_MISSING), reason=f"apt-get install {' '.join(_MISSING)}"),
]


def tokenkit(*args: str) -> str:
    done = subprocess.run(
        [*TOKENKIT, *args],
        env=os.environ | {"TOKENKIT_PIN": "1234", "TOKENKIT_NEW_PIN": "1234"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.stdout, done.stderr
    return done.stdout


def browse(key: str, *options: str) -> dict[str, str | None]:
    browser = (sys.executable, str(BROWSER), *options)
    found: dict[str, str | None] = json.loads(tokenkit("preload", "--key", key, "--", *browser))
    return found


@pytest.mark.parametrize("profile", ["reference", "yubikey-5.7", "u2f-only"])
def test_it_registers_and_signs_in(profile: str) -> None:
    assert browse(profile) == {"chromium_discouraged": None}


def test_a_key_that_verifies_a_finger(tmp_path: Path) -> None:
    key = f"?state={tmp_path / 'key.db'}"
    tokenkit("keys", "pin", "set", f"virtual:yubikey-bio{key}")
    tokenkit("keys", "bio", "enroll", f"virtual:{key}")
    assert browse(key, "--verified") == {"chromium_required": None}
