"""The real google-authenticator-libpam, under a clock that stands, against its rules as data."""

import base64
import os
import random
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tokenkit.fleet.judge import State, new_state, sign_in, window
from tokenkit.fleet.rules import PeerName, Policy
from tokenkit.verifier.totp import CodeGenerator

SEED = b"12345678901234567890"
START_S = 1_767_225_615
RULE = Policy(name="", peer=PeerName("google-authenticator")).rule(30)


def _library(name: str) -> str:
    """Where the dynamic linker finds it, or the loader of modules."""
    return next((str(path) for path in Path("/usr/lib").glob(f"*/{name}")), "")


MODULE = _library("security/pam_google_authenticator.so")
WRAPPER, FAKETIME = _library("libpam_wrapper.so"), _library("faketime/libfaketime.so.1")
PAMTESTER = Path("/usr/bin/pamtester")

pytestmark = pytest.mark.skipif(
    not (MODULE and WRAPPER and FAKETIME and PAMTESTER.exists()),
    reason="apt-get install libpam-google-authenticator libpam-wrapper faketime pamtester",
)


class Pam:
    """One user's secret file, and a service that asks for nothing but the code."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "secret"
        secret = base64.b32encode(SEED).decode()
        self.file.write_text(f'{secret}\n" WINDOW_SIZE 3\n" DISALLOW_REUSE\n" TOTP_AUTH\n')
        self.file.chmod(0o600)
        service = folder / "services/tokenkit"
        service.parent.mkdir()
        options = f"secret={self.file} user=root no_strict_owner"
        service.write_text(f"auth required {MODULE} {options}\n")
        self.environment = os.environ | {
            "LD_PRELOAD": f"{WRAPPER} {FAKETIME}",
            "PAM_WRAPPER": "1",
            "PAM_WRAPPER_SERVICE_DIR": str(service.parent),
            "TZ": "UTC",
        }
        self.generator = CodeGenerator(SEED)

    def sign_in(self, counter: int, server_s: int) -> bool:
        [code] = self.generator.codes([counter])
        done = subprocess.run(
            [PAMTESTER, "tokenkit", "root", "authenticate"],
            input=code + b"\n",
            env=self.environment
            | {"FAKETIME": f"@{datetime.fromtimestamp(server_s, UTC):%Y-%m-%d %H:%M:%S}"},
            capture_output=True,
            timeout=60,
        )
        said = done.stdout + done.stderr
        accepted = b"successfully authenticated" in said
        assert accepted or b"Authentication failure" in said, said.decode()
        return accepted

    @property
    def skew(self) -> int:
        found = re.search(r'^" TIME_SKEW (-?\d+)', self.file.read_text(), re.MULTILINE)
        return int(found[1]) if found else 0


@pytest.mark.skipif(os.geteuid() != 0, reason="the module reads the secret as its owner: root")
def test_it_accepts_and_learns_what_the_data_say(tmp_path: Path) -> None:
    """A clock that jumps, people who try one code after the other, or wait, or try one again."""
    pam, drawn = Pam(tmp_path), random.Random(1)
    state: State = new_state(RULE)
    now_s, error_s, noted = START_S, 0, 0
    decisions = set()
    for _ in range(250):
        now_s += drawn.choice([0, 20, 30, 30, 30, 30, 45, 60, 75, 90])
        if drawn.random() < 0.1:
            now_s += 86_400
            error_s += drawn.choice([-45_000, -600, -100, -40, 40, 100, 600, 3000, 44_000])
        counter = (now_s + error_s) // 30
        _, last = window(RULE, state, now_s)
        near = abs(counter - last + RULE.window_steps) <= RULE.window_steps
        if near and counter <= state.used and counter != noted:
            continue  # older than the one used last: assumed to be refused, but is not
        accepted, state = sign_in(RULE, state, counter, float(now_s))
        assert pam.sign_in(counter, now_s) == accepted
        assert pam.skew == state.offset_steps
        decisions.add((accepted, near))
        if accepted and near:
            noted = counter
    # near, used already, far, and far as the third of three
    assert decisions == {(True, True), (False, True), (False, False), (True, False)}
