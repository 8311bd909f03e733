"""``tokenkit keys`` on keys on which things go wrong: whatever happens is one line, or right."""

import contextlib
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenkit import virtual
from tokenkit.cli import main
from tokenkit.virtual import SimulatedClock

COMMANDS = [
    ("info",),
    ("ping", "--size", "300", "--count", "2"),
    ("pin", "retries"),
    ("pin", "verify"),
    ("pin", "change"),
    ("creds", "list"),
    ("blobs", "list"),
    ("bio", "list"),
    ("config", "show"),
    ("attest",),
    ("reset",),
]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual, "SystemClock", SimulatedClock)
    monkeypatch.setenv("TOKENKIT_PIN", "1234")
    monkeypatch.setenv("TOKENKIT_NEW_PIN", "4321")


def run(*args: str) -> tuple[int, str, str]:
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as caught,
    ):
        main(["keys", *args])
    for stream in (out, err):
        stream.seek(0)
    return int(caught.value.code or 0), out.read(), err.read()


def test_a_fault_is_one_line(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text('[[fault]]\nkind = "unplug"\ncommand = "CBOR"\npacket = 2\n')
    selector = f"virtual:reference?faults={plan}"
    assert run("ping", selector)[0] == 0
    code, out, err = run("info", selector)
    assert (code, out) == (2, "")
    assert err.startswith(f"tokenkit: {selector}: tokenkit reference key VIRTUAL-")
    assert err.endswith(" is unplugged\n")


def test_a_plan_that_is_none_is_one_line(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text('[[fault]]\nkind = "drop"\nat = 0\n')
    code, out, err = run("info", f"virtual:reference?faults={plan}")
    assert (code, out) == (2, "")
    assert err == f"tokenkit: fault plan {plan}: fault 1: at: Expected `int` >= 1\n"


kinds = st.sampled_from(
    [
        'kind = "drop"',
        'kind = "corrupt"',
        'kind = "corrupt"\nbits = 1',
        'kind = "corrupt"\nbits = 3\nbyte = 12',
        'kind = "corrupt"\nbits = 512',
        'kind = "duplicate"',
        'kind = "reorder"',
        'kind = "delay"\ndelay_s = 1',
        'kind = "stall"\nstall_s = 1',
        'kind = "stall"',
        'kind = "truncate"',
        'kind = "wrong-channel"',
        'kind = "wrong-channel"\nchannel = 0xFFFFFFFF',
        'kind = "keep-alives"',
        'kind = "unplug"',
    ]
)
where = st.sampled_from(["", 'direction = "in"', 'direction = "out"', 'command = "CBOR"'])
when = st.one_of(
    st.integers(1, 60).map("at = {}".format),
    st.integers(1, 9).map("every = {}".format),
    st.sampled_from(["probability = 0.05", "probability = 0.5", ""]),
)
faults = st.one_of(
    st.tuples(kinds, where, when).map("\n".join),
    st.integers(1, 3).map('kind = "power-cut"\nat = {}'.format),
)


@pytest.fixture(scope="module")
def used_key(tmp_path_factory: pytest.TempPathFactory) -> virtual.MemoryFlash:
    """The flash of a key with a PIN and a credential."""
    from fido2.ctap2 import ClientPin, Ctap2

    flash = virtual.MemoryFlash()
    ctap = Ctap2(virtual.connect(virtual.World(seed=1).security_key(flash=flash)))
    ctap.make_credential(
        bytes(32),
        {"id": "example.com", "name": "Example"},
        {"id": b"user", "name": "user", "displayName": "User"},
        [{"type": "public-key", "alg": -7}],
        extensions={"largeBlobKey": True},
        options={"rk": True},
    )
    ClientPin(ctap).set_pin("1234")
    return flash


@settings(max_examples=max(50, settings().max_examples))
@given(st.integers(0, 9), st.lists(faults, min_size=1, max_size=2), st.sampled_from(COMMANDS))
def test_whatever_goes_wrong_is_no_traceback(
    tmp_path: Path,
    used_key: virtual.MemoryFlash,
    seed: int,
    given: list[str],
    command: tuple[str, ...],
) -> None:
    plan, state = tmp_path / "plan.toml", tmp_path / "my.key"
    plan.write_text(f"seed = {seed}\n" + "\n".join(f"[[fault]]\n{each}" for each in given))
    state.unlink(missing_ok=True)
    with contextlib.closing(virtual.SqliteFlash(state)) as flash:
        flash.write(used_key.contents)
    code, _, err = run(*command, f"virtual:?seed=1&state={state}&faults={plan}")
    assert code in (0, 1, 2)
    if code == 2:
        assert err.startswith("tokenkit: ")
    # afterwards the key is well
    code, out, err = run("info", f"virtual:?state={state}", "--json")
    assert (code, err) == (0, "")
    assert "FIDO_2_1" in out
