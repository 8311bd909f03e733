"""``tokenkit otp check``: what is in a seed file, without any secret key."""

import base64
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tokenkit.cli import root
from tokenkit.errors import TokenkitError
from tokenkit.virtual import World, write_pskc

SECRET = base64.b32encode(bytes(range(20))).decode()
HEADER = "serial number,secret key,time interval,digits,algorithm\n"
GOOD = f"TOKEN000001,{SECRET},,,\nTOKEN000002,{SECRET},,,\nTOKEN000003,{SECRET},60,8,SHA256\n"


def run(*args: str, **environment: str) -> Result:
    return CliRunner().invoke(root, ["otp", "check", *args], env=environment)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("seeds")


def test_a_file_that_is_right(path: Path) -> None:
    path.write_text(HEADER + GOOD)
    result = run("seeds")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[0] == "seeds: 3 tokens"
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["SHA1", "6", "30", "s", "2"] in rows
    assert ["SHA256", "8", "60", "s", "1"] in rows
    assert SECRET not in result.output


def test_all_faults_are_told_and_no_secret(path: Path) -> None:
    path.write_text(HEADER + GOOD + "".join(f"{n},{SECRET},,,\n" for n in range(30)))
    result = run("seeds")
    assert result.exit_code == 2
    first, *faults = result.stderr.splitlines()
    assert first == "tokenkit: seeds: 30 faults:"
    assert len(faults) == 30
    assert faults[29].startswith("  line 34, 29: serial number '29' has 2 characters")
    assert "seeds: 3 tokens" in result.stdout
    assert SECRET not in result.output


def test_json(path: Path) -> None:
    path.write_text(f"{HEADER}TOKEN000001,{SECRET},,,\nTOKEN000002,,,,\n")
    result = run("seeds", "--json")
    assert (result.exit_code, result.stderr) == (2, "")
    assert json.loads(result.stdout) == {
        "file": "seeds",
        "tokens": 1,
        "kinds": [{"algorithm": "SHA1", "digits": 6, "period_s": 30, "tokens": 1}],
        "faults": [
            {
                "line": 3,
                "key": None,
                "serial_number": "TOKEN000002",
                "message": "the secret key is empty",
            }
        ],
    }


def test_an_encrypted_file(path: Path) -> None:
    key = bytes(range(16))
    write_pskc(World(seed=1).make_batch("SHELF", 2).tokens, path, key)
    assert "seeds: 2 tokens" in run("seeds", TOKENKIT_PSKC_KEY=key.hex()).stdout
    Path("key").write_text(key.hex())
    assert run("seeds", "--pskc-key-file", "key").exit_code == 0
    assert "give the pre-shared key: --pskc-key-file FILE" in str(run("seeds").exception)
    wrong = run("seeds", TOKENKIT_PSKC_KEY="00" * 16)
    assert isinstance(wrong.exception, TokenkitError)
    assert str(wrong.exception).startswith("seeds: wrong pre-shared key?")
