"""``tokenkit otp`` as a person at a terminal runs it, under a simulated clock."""

import base64
import csv
import io
import json
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree

import pyotp
import pytest
from pskc import PSKC

from tokenkit.cli import main, root
from tokenkit.virtual import SimulatedClock, TokenClock

NOW_S = 1_767_225_600.0  # 2026-01-01T00:00:00Z
KEY = "000102030405060708090a0b0c0d0e0f"
NAMES = ["batch.json", "seeds.csv", "seeds.pskcxml"]

Run = Callable[..., tuple[int, str, str]]


class TickingClock(SimulatedClock):
    """Counts the waits; at the one called ``interrupted`` somebody presses Ctrl-C."""

    waits = 0
    interrupted: int | None = None

    def wait_until(self, true_s: float) -> None:
        self.waits += 1
        if self.waits == self.interrupted:
            raise KeyboardInterrupt
        super().wait_until(true_s)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> TickingClock:
    clock = TickingClock(NOW_S)
    monkeypatch.setitem(root.context_settings, "obj", clock)
    return clock


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    clock: TickingClock,
) -> Run:
    """Run ``tokenkit otp …`` in an empty directory: exit status, output, errors."""
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)

    def run(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["otp", *args])
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def totp(run: Run) -> str:
    """The serial number of a token in box/batch.json."""
    assert run("make", "TKTEST", "--grade", "perfect", "--seed", "1", "--out", "box")[0] == 0
    return "TKTEST00000001"


@pytest.fixture
def hotp(run: Run) -> str:
    """The same, but for its kind."""
    args = ["TKHOTP", "--kind", "hotp", "--grade", "perfect", "--seed", "1", "--out", "box"]
    assert run("make", *args)[0] == 0
    return "TKHOTP00000001"


def all_files() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(Path().rglob("*")) if path.is_file()}


def seeds() -> dict[str, str]:
    """Secrets in base32 by serial number, from the CSV file."""
    rows = csv.DictReader(io.StringIO(Path("box/seeds.csv").read_text()))
    return {row["serial number"]: row["secret key"] for row in rows}


def test_help(run: Run) -> None:
    for command, promise in (
        ([], "Make and read hardware TOTP/HOTP tokens."),
        (["make"], "Nothing is overwritten."),
        (["make"], "Encrypt the PSKC file under this password"),
        (["show"], "Press the button of token SERIAL"),
        (["watch"], "until Ctrl-C"),
    ):
        status, out, err = run(*command, "--help")
        assert (status, err) == (0, "")
        assert promise in out


class TestMake:
    def test_writes_a_batch_and_its_seed_files(self, run: Run) -> None:
        status, out, err = run("make", "TKTEST", "--count", "3", "--out", "new/box")
        assert (status, err) == (0, "")
        numbers = [f"TKTEST0000000{number}" for number in (1, 2, 3)]
        assert re.findall(r"TKTEST\d+", out) == numbers
        assert out.splitlines()[-3:] == [
            "wrote new/box/batch.json",
            "wrote new/box/seeds.pskcxml",
            "wrote new/box/seeds.csv",
        ]
        assert sorted(all_files()) == [f"new/box/{name}" for name in NAMES]
        modes = {stat.S_IMODE(path.stat().st_mode) for path in Path("new/box").iterdir()}
        assert modes == {0o600}
        assert [key.serial for key in PSKC("new/box/seeds.pskcxml").keys] == numbers

    def test_json(self, run: Run) -> None:
        status, out, _ = run("make", "TKTEST", "--grade", "perfect", "--out", "box", "--json")
        assert status == 0
        assert json.loads(out) == {
            "batch": "box/batch.json",
            "pskc": "box/seeds.pskcxml",
            "csv": "box/seeds.csv",
            "tokens": [
                {
                    "serial_number": "TKTEST00000001",
                    "kind": "TOTP",
                    "algorithm": "SHA1",
                    "digits": 6,
                    "period_s": 30,
                    "tolerance_ppm": 0.0,
                }
            ],
        }

    def test_options_reach_the_tokens(self, run: Run) -> None:
        options = ["--algorithm", "sha512", "--digits", "8", "--period", "60", "--kind", "totp"]
        [token] = json.loads(run("make", "TK", *options, "--out", "box", "--json")[1])["tokens"]
        assert (token["kind"], token["algorithm"]) == ("TOTP", "SHA512")
        assert (token["digits"], token["period_s"]) == (8, 60)

    def test_an_hotp_token_has_no_period(self, run: Run) -> None:
        [token] = json.loads(run("make", "TK", "--kind", "HOTP", "--out", "box", "--json")[1])[
            "tokens"
        ]
        assert token["kind"] == "HOTP"
        assert "period_s" not in token

    @pytest.mark.parametrize("form", [[], ["--json"]])
    def test_secrets_are_printed_only_if_told(self, run: Run, form: list[str]) -> None:
        _, hidden, _ = run("make", "TK", "--seed", "1", "--out", "box", *form)
        _, shown, _ = run("make", "TK", "--seed", "1", "--out", "other", "--show-seeds", *form)
        [secret] = seeds().values()
        assert secret not in hidden
        assert secret in shown

    def test_the_same_seed_makes_the_same_files(self, run: Run) -> None:
        for directory, seed in (("a", ["--seed", "x"]), ("b", ["--seed", "x"]), ("c", [])):
            run("make", "TK", "--out", directory, *seed)
        made = all_files()
        for name in NAMES:
            assert made[f"a/{name}"] == made[f"b/{name}"] != made[f"c/{name}"]

    def test_the_pskc_file_is_encrypted_with_the_key(self, run: Run) -> None:
        run("make", "TK", "--out", "box", "--pskc-key", KEY)
        container = PSKC("box/seeds.pskcxml")
        container.encryption.key = bytes.fromhex(KEY)
        [secret] = seeds().values()
        assert container.keys[0].secret == base64.b32decode(secret)
        assert b"EncryptedValue" in Path("box/seeds.pskcxml").read_bytes()

    def test_the_pskc_file_is_encrypted_with_the_password(self, run: Run) -> None:
        Path("password").write_text("open sesame\n")
        run("make", "TK", "--out", "box", "--pskc-password-file", "password")
        container = PSKC("box/seeds.pskcxml")
        container.encryption.derive_key("open sesame")
        [secret] = seeds().values()
        assert container.keys[0].secret == base64.b32decode(secret)
        status, _, err = run(
            *("make", "TK", "--out", "new", "--pskc-key", KEY, "--pskc-password-file", "password")
        )
        assert status == 2
        assert "with a pre-shared key or a password, not both" in err
        assert not Path("new").exists()

    def test_a_name_that_is_no_utf_8(self, run: Run) -> None:
        directory = os.fsdecode(b"box\xff")
        status, out, err = run("make", "TK", "--out", directory)
        assert (status, err) == (0, "")
        assert "wrote box\N{REPLACEMENT CHARACTER}/batch.json" in out
        status, out, _ = run("make", "TKB", "--out", f"{directory}2", "--json")
        assert json.loads(out)["batch"] == "box\N{REPLACEMENT CHARACTER}2/batch.json"

    @pytest.mark.parametrize(
        ("args", "advice"),
        [
            (["TK TEST"], "A-Z a-z 0-9 _ + = / : , . @ -"),
            ([""], "9 to 256"),
            (["T" * 249], "9 to 256"),
            (["T\udcff"], "A-Z a-z 0-9"),
            (["TK", "--count", "0"], "0 is not in the range"),
            (["TK", "--count", "100000000"], "numbers from 0 to 99999999"),
            (["TK", "--count", "many"], "not a valid integer"),
            (["TK", "--digits", "9"], "9 is not in the range"),
            (["TK", "--period", "45"], "'45' is not one of"),
            (["TK", "--algorithm", "MD5"], "'MD5' is not one of"),
            (["TK", "--kind", "HOTP", "--period", "60"], "--period is the time step of TOTP"),
            (["TK", "--kind", "OCRA"], "'OCRA' is not one of"),
            (["TK", "--grade", "quartz"], "there are token, 20ppm, 50ppm, perfect"),
            (["TK", "--seed", "\udcff"], "is not UTF-8"),
            (["TK", "--pskc-key", "secret"], "give 32, 48 or 64 digits"),
            (["TK", "--pskc-key", "abcd"], "16, 24 or 32 bytes, not 2"),
            (["TK", "--pskc-key", ""], "16, 24 or 32 bytes, not 0"),
        ],
    )
    def test_bad_input_makes_nothing(self, run: Run, args: list[str], advice: str) -> None:
        status, out, err = run("make", *args, "--out", "new/box")
        assert (status, out) == (2, "")
        assert advice in err.splitlines()[-1]
        assert "Traceback" not in err
        assert not list(Path().iterdir())

    def test_a_key_is_not_repeated(self, run: Run) -> None:
        assert "secret" not in run("make", "TK", "--pskc-key", "secret", "--out", "box")[2]

    @pytest.mark.parametrize("there", NAMES)
    def test_nothing_is_overwritten(self, run: Run, there: str) -> None:
        Path("box").mkdir()
        Path("box", there).write_text("mine")
        status, out, err = run("make", "TK", "--out", "box")
        assert (status, out) == (2, "")
        assert err == (
            f"tokenkit: box/{there} is there already and is not overwritten:"
            " choose another directory\n"
        )
        assert all_files() == {f"box/{there}": b"mine"}

    def test_out_is_missing_a_file_or_under_one(self, run: Run) -> None:
        Path("file").write_text("mine")
        for args, advice in (
            ([], "Missing option '--out'"),
            (["--out", ""], "name a directory"),
            (["--out", "file"], "is a file"),
            (["--out", "file/box"], "file is there already"),
        ):
            status, out, err = run("make", "TK", *args)
            assert (status, out) == (2, "")
            assert advice in err.splitlines()[-1]
        assert all_files() == {"file": b"mine"}

    def test_a_full_disk_is_one_line_and_leaves_nothing(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        status, out, err = run("make", "TK", "--out", "new/box")
        assert (status, out) == (2, "")
        assert err == "tokenkit: new/box/batch.json: No space left on device\n"
        assert not list(Path().iterdir())


class TestShow:
    def test_shows_the_code_of_now(self, run: Run, totp: str, clock: TickingClock) -> None:
        clock.advance(10)
        status, out, err = run("show", "box/batch.json", totp)
        code = pyotp.HOTP(seeds()[totp]).at(int(NOW_S) // 30)
        assert (status, err) == (0, "")
        lines = out.splitlines()
        assert len(lines) == 6
        assert lines[1].endswith("▮▮▮▮▯▯")
        assert lines[4:] == [
            f"{totp}  2026-01-01T00:00:10Z  clock error +0.000 s",
            f"code {code}",
        ]

    @pytest.mark.parametrize("at", ["2027-06-01T12:00:00Z", "2027-06-01T14:00:00+02:00"])
    def test_shows_another_time(self, run: Run, totp: str, at: str) -> None:
        shown = json.loads(run("show", "box/batch.json", totp, "--at", at, "--json")[1])
        assert shown == {
            "serial_number": totp,
            "kind": "TOTP",
            "true_time": "2027-06-01T12:00:00Z",
            "clock_error_s": 0.0,
            "lit": True,
            "code": pyotp.HOTP(seeds()[totp]).at(1_811_851_200 // 30),
            "bars": 6,
            "low_battery": False,
        }

    def test_a_drifting_token_shows_its_own_time(self, run: Run) -> None:
        run("make", "TK-DRIFT", "--grade", "50ppm", "--seed", "2", "--out", "box")
        args = ["show", "box/batch.json", "TK-DRIFT00000001", "--at", "2028-01-01T00:00:00Z"]
        shown = json.loads(run(*args, "--json")[1])
        token_s = 1_830_297_600 + shown["clock_error_s"]
        assert abs(shown["clock_error_s"]) > 30
        assert shown["code"] == pyotp.HOTP(seeds()["TK-DRIFT00000001"]).at(int(token_s // 30))
        assert f"clock error {shown['clock_error_s']:+.3f} s" in run(*args)[1]

    def test_no_error_has_no_sign(
        self, run: Run, totp: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(TokenClock, "error_s", lambda *args: -1e-9)
        assert "clock error +0.000 s" in run("show", "box", totp)[1]
        assert '"clock_error_s": 0.0,' in run("show", "box", totp, "--json")[1]

    @pytest.mark.parametrize("at", ["2040-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
    def test_an_empty_battery_is_said(self, run: Run, totp: str, at: str) -> None:
        status, out, _ = run("show", "box/batch.json", totp, "--at", at)
        assert status == 0
        assert out.endswith("dark: the battery is empty\n")
        shown = json.loads(run("show", "box/batch.json", totp, "--at", at, "--json")[1])
        assert (shown["lit"], shown["code"], shown["bars"]) == (False, None, 0)
        assert shown["true_time"] == at

    def test_a_low_battery_is_shown(self, run: Run, totp: str) -> None:
        args = ["show", "box/batch.json", totp, "--at", "2030-06-01T00:00:00Z"]
        assert "LOW BATTERY" in run(*args)[1]
        assert json.loads(run(*args, "--json")[1])["low_battery"] is True

    def test_draws_a_picture_again_and_again(self, run: Run, totp: str) -> None:
        pictures = set()
        for at in ("2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"):
            run("show", "box/batch.json", totp, "--at", at, "--svg", "box/token.svg")
            picture = Path("box/token.svg").read_text()
            title = ElementTree.fromstring(picture)[0].text
            code = pyotp.TOTP(seeds()[totp]).at(int(NOW_S) + (60 if at.endswith("01:00Z") else 0))
            assert title == f"Token {totp} shows {code}"
            pictures.add(picture)
        assert len(pictures) == 2

    def test_each_press_of_an_hotp_token_is_the_next_code(self, run: Run, hotp: str) -> None:
        codes = [run("show", "box/batch.json", hotp)[1].split()[-1] for _ in range(3)]
        other = pyotp.HOTP(seeds()[hotp])
        assert codes == [other.at(counter) for counter in range(3)]
        assert stat.S_IMODE(Path("box/batch.flash").stat().st_mode) == 0o600

    def test_a_totp_token_writes_nothing(self, run: Run, totp: str) -> None:
        before = all_files()
        run("show", "box/batch.json", totp)
        assert all_files() == before

    @pytest.mark.parametrize(
        ("args", "advice"),
        [
            (["missing.json", "A"], "'missing.json' does not exist"),
            (["box", "A"], "no token 'A' in this batch"),
            (["void", "A"], "no batch.json in void: tokenkit otp make PREFIX --out void writes it"),
            (["box/seeds.csv", "A"], "box/seeds.csv: not a batch file"),
            (["box/seeds.pskcxml", "A"], "box/seeds.pskcxml: not a batch file"),
            (["box/cut.json", "A"], "box/cut.json: not a batch file"),
            (["box/empty.json", "A"], "box/empty.json: not a batch file"),
            (["box/deep.json", "A"], "box/deep.json: not a batch file"),
            (["box/batch.json", "TKTEST9"], "no token 'TKTEST9' in this batch"),
            (["box/batch.json"], "Missing argument 'SERIAL'"),
        ],
    )
    @pytest.mark.parametrize("command", ["show", "watch"])
    def test_what_cannot_be_read_is_one_clear_error(
        self, run: Run, hotp: str, command: str, args: list[str], advice: str
    ) -> None:
        Path("box/cut.json").write_bytes(Path("box/batch.json").read_bytes()[:-30])
        Path("box/empty.json").touch()
        Path("void").mkdir()
        deep = "[" * 50_000 + "]" * 50_000
        Path("box/deep.json").write_text(f'{{"format":"otp batch 1","tokens":[{{"x":{deep}}}]}}')
        before = all_files()
        status, out, err = run(command, *args)
        assert (status, out) == (2, "")
        assert advice in err.splitlines()[-1]
        assert "Traceback" not in err
        assert all_files() == before

    @pytest.mark.parametrize(
        ("args", "advice"),
        [
            (["--at", "yesterday"], "'yesterday' is no ISO 8601 time"),
            (["--at", "2026-11-24T12:00:00"], "has no time zone: add Z"),
            (["--at", "9999-12-31T23:59:59-12:00"], "not between the years 1 and 9999"),
            (["--at", "0001-01-01T00:00:00+12:00"], "not between the years 1 and 9999"),
            (["--at", "2025-12-31T23:59:59Z"], "is not made before 2026-01-01T00:00:00Z"),
            (["--svg", "missing/x.svg"], "there is no directory missing"),
            (["--svg", "box/batch.json"], "does not end in .svg"),
            (["--svg", "box/batch.flash"], "does not end in .svg"),
            (["--svg", "dir.svg"], "'dir.svg' is a directory"),
        ],
    )
    def test_bad_options_use_up_no_code(
        self, run: Run, hotp: str, args: list[str], advice: str
    ) -> None:
        Path("dir.svg").mkdir()
        before = all_files()
        status, out, err = run("show", "box/batch.json", hotp, *args)
        assert (status, out) == (2, "")
        assert advice in err.splitlines()[-1]
        assert "Traceback" not in err
        assert all_files() == before

    def test_another_programs_counter_file_is_left_alone(self, run: Run, hotp: str) -> None:
        Path("box/batch.flash").write_bytes(b"my own notes, longer than any header\n" * 50)
        before = all_files()
        status, out, err = run("show", "box/batch.json", hotp)
        assert (status, out) == (2, "")
        assert err.startswith("tokenkit: box/batch.flash: cannot be used as a state file")
        assert len(err.splitlines()) == 1
        assert all_files() == before


class TestWatch:
    def test_redraws_each_second_and_presses_again(
        self, run: Run, totp: str, clock: TickingClock
    ) -> None:
        status, out, err = run("watch", "box/batch.json", totp, "--for", "65.5")
        assert (status, err) == (0, "")
        assert clock.now() == NOW_S + 65
        pictures = re.findall(r"clock error \+0\.000 s", out)
        assert len(pictures) == 66
        lines = out.splitlines()
        assert len(lines) == 5 * 66
        bars = [line.count("▮") for line in lines[1::5]]
        assert bars == [6 - second % 30 // 5 for second in range(66)]  # lit all the time
        assert lines[-1] == f"{totp}  2026-01-01T00:01:05Z  clock error +0.000 s"

    def test_an_hotp_token_goes_to_sleep(self, run: Run, hotp: str) -> None:
        _, out, _ = run("watch", "box/batch.json", hotp, "--for", "31")
        lit = [bool(line.strip()) for line in out.splitlines()[1::5]]
        assert lit == [True] * 30 + [False] * 2
        code = run("show", "box/batch.json", hotp)[1].split()[-1]
        assert code == pyotp.HOTP(seeds()[hotp]).at(1)

    @pytest.mark.parametrize("for_s", ["0", "0.5", "nan"])
    def test_no_time_is_one_picture(self, run: Run, totp: str, for_s: str) -> None:
        status, out, _ = run("watch", "box/batch.json", totp, "--for", for_s)
        assert (status, len(out.splitlines())) == (0, 5)

    def test_ctrl_c_ends_it_cleanly(self, run: Run, hotp: str, clock: TickingClock) -> None:
        clock.interrupted = 4
        status, out, err = run("watch", "box/batch.json", hotp)
        assert (status, err) == (0, "")
        assert len(out.splitlines()) == 5 * 4
        # and the counters' file was closed: the next press has it to itself
        assert run("show", "box/batch.json", hotp)[0] == 0

    def test_ctrl_c_while_it_draws(
        self, run: Run, totp: str, clock: TickingClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def now() -> float:
            if clock.waits == 2:
                raise KeyboardInterrupt
            return SimulatedClock.now(clock)

        monkeypatch.setattr(clock, "now", now)
        status, _, err = run("watch", "box/batch.json", totp)
        assert (status, err) == (0, "")

    def test_a_negative_time_is_refused(self, run: Run, totp: str) -> None:
        status, out, err = run("watch", "box/batch.json", totp, "--for", "-1")
        assert (status, out) == (2, "")
        assert "-1.0 is not in the range" in err

    @pytest.fixture
    def closed_pipe(self) -> Iterator[io.TextIOWrapper]:
        """An output whose reader has gone, as in ``tokenkit otp watch … | head -1``."""
        reader, writer = os.pipe()
        os.close(reader)
        file = os.fdopen(writer, "w", encoding="utf-8")
        yield file
        with suppress(BrokenPipeError):
            file.close()

    def test_a_reader_that_leaves_is_no_error(
        self,
        run: Run,
        totp: str,
        closed_pipe: io.TextIOWrapper,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(sys, "stdout", closed_pipe)
        _, _, err = run("watch", "box/batch.json", totp, "--for", "3")
        assert err == ""

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, as Linux has it")
    def test_a_full_disk_under_the_output(
        self, run: Run, totp: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = open("/dev/full", "w", encoding="utf-8")  # noqa: SIM115 closing it fails as well
        monkeypatch.setattr(sys, "stdout", file)
        status, _, err = run("watch", "box/batch.json", totp, "--for", "3")
        monkeypatch.undo()
        with suppress(OSError):
            file.close()
        assert (status, err) == (2, "tokenkit: standard output: No space left on device\n")
