"""How commands end where nobody reads, the disk is full, or Ctrl-C is pressed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tokenkit import scenario
from tokenkit.cli import main
from tokenkit.errors import TokenkitError

NAMES = {"index.html", "junit.xml", "report.json"}
# how to run each command whose output can fail; {box} holds a batch
COMMANDS = {
    "run": ["run", "security-key"],
    "run --json": ["run", "security-key", "--json"],
    "run --list": ["run", "--list"],
    "keys info": ["keys", "info", "virtual:reference"],
    "keys info --json": ["keys", "info", "virtual:reference", "--json"],
    "otp show": ["otp", "show", "{box}", "TK00000001"],
    "otp show --json": ["otp", "show", "{box}", "TK00000001", "--json"],
    "completion": ["completion", "bash"],
    "help": ["--help"],
}
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("otp") / "box"
    with pytest.raises(SystemExit):
        main(["otp", "make", "TK", "--seed", "1", "--out", str(folder)])
    return folder


def arguments(name: str, box: Path) -> list[str]:
    return [part.format(box=box) for part in COMMANDS[name]]


def start(args: list[str], **options: Any) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tokenkit", *args]
    return subprocess.Popen(command, stderr=subprocess.PIPE, **options)


@pytest.fixture
def no_reader() -> Iterator[int]:
    """The end to write into of a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@needs_full
@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_is_one_line_and_status_2(name: str, box: Path) -> None:
    with open("/dev/full", "w") as full:
        process = start(arguments(name, box), stdout=full)
        _, errors = process.communicate()
    lines = errors.decode().splitlines()
    assert lines[-1] == "tokenkit: standard output: No space left on device"
    assert len(lines) == (2 if name == "run --json" else 1)
    assert process.returncode == 2


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"help", "run --json"}))
def test_no_reader_is_a_quiet_end(name: str, box: Path, no_reader: int) -> None:
    process = start(arguments(name, box), stdout=no_reader)
    assert process.communicate()[1] == b""
    assert process.returncode == 128 + signal.SIGPIPE


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"run --json"}))
def test_a_closed_output_swallows_all(name: str, box: Path) -> None:
    command = [sys.executable, "-m", "tokenkit", *arguments(name, box)]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *command], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_closed_errors_change_nothing(box: Path) -> None:
    command = [sys.executable, "-m", "tokenkit", "run", "security-key"]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" 2>&-', "sh", *command], stdout=subprocess.PIPE, check=False
    )
    assert done.returncode == 0
    assert "22 of 22 expectations held" in done.stdout.decode()


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_the_whole_report_is_written_though_nobody_reads_tables(
    tmp_path: Path, no_reader: int, form: list[str]
) -> None:
    args = ["run", "authenticator-app", "security-key", "--report", str(tmp_path / "out"), *form]
    process = start(args, stdout=no_reader)
    process.communicate()
    assert process.returncode == 128 + signal.SIGPIPE
    report = json.loads((tmp_path / "out/report.json").read_text("utf-8"))
    assert (len(report["scenarios"]), report["unfinished"]) == (2, [])
    assert {path.name for path in (tmp_path / "out").iterdir()} == NAMES


@pytest.mark.parametrize("name", ["run", "run --json", "otp show"])
@pytest.mark.parametrize(
    "encoding",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_an_encoding_that_lacks_characters(name: str, box: Path, encoding: dict[str, str]) -> None:
    env = {key: value for key, value in os.environ.items() if key != "PYTHONIOENCODING"}
    process = start(arguments(name, box), stdout=subprocess.PIPE, env={**env, **encoding})
    out, errors = process.communicate()
    assert process.returncode == 0
    if name != "run --json":
        assert errors == b""
    if "--json" in name:
        json.loads(out.decode("utf-8"))
    else:
        out.decode("latin-1" if "latin-1" in encoding.values() else "ascii")


def test_marks_are_words_where_there_are_no_check_marks(tmp_path: Path) -> None:
    text = """
title = "A key"
[[step]]
do = "make-key"
device = "key"
[[step]]
do = "register"
device = "key"
[[step]]
do = "assert"
device = "key"
expect = "cloned"
"""
    (tmp_path / "mine.toml").write_text(text, "utf-8")
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "40"}
    process = start(["run", "mine.toml"], cwd=tmp_path, stdout=subprocess.PIPE, env=env)
    out = process.communicate()[0].decode("ascii")
    assert "ok" in out
    assert "FAIL" in out
    assert "?" not in out


class TestCtrlC:
    """In the second of two scenarios."""

    @pytest.fixture(params=[KeyboardInterrupt, TokenkitError("b.toml:3: impossible")])
    def ending(
        self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
    ) -> BaseException | type[BaseException]:
        real = scenario.run

        def run(loaded: scenario.Loaded, *args: Any, **options: Any) -> scenario.ScenarioRecord:
            if loaded.name == "security-key":
                raise request.param
            return real(loaded, *args, **options)

        monkeypatch.setattr(scenario, "run", run)
        ending: BaseException | type[BaseException] = request.param
        return ending

    def test_keeps_what_was_finished(
        self,
        ending: BaseException | type[BaseException],
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        out = tmp_path / "out"
        with pytest.raises(SystemExit) as caught:
            main(["run", "authenticator-app", "security-key", "--report", str(out)])
        captured = capsys.readouterr()
        if ending is KeyboardInterrupt:
            assert (caught.value.code, captured.err) == (130, "tokenkit: interrupted\n")
        else:
            assert (caught.value.code, captured.err) == (2, f"tokenkit: {ending}\n")
        assert "5 of 5 expectations held" in captured.out
        assert captured.out.endswith(f"report: {out / 'index.html'}\n")
        report = json.loads((out / "report.json").read_text("utf-8"))
        assert (report["held"], report["unfinished"]) == (False, ["security-key"])
        assert [made["name"] for made in report["scenarios"]] == ["authenticator-app"]
        assert '<error message="the run was cut short"' in (out / "junit.xml").read_text("utf-8")
        assert "The run was cut short" in (out / "index.html").read_text("utf-8")

    @pytest.mark.usefixtures("ending")
    def test_leaves_no_report_of_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(SystemExit):
            main(["run", "security-key", "authenticator-app", "--report", str(tmp_path / "out")])
        assert not (tmp_path / "out").exists()


def test_ctrl_c_is_130_in_every_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tokenkit.keys.survey", interrupted)
    with pytest.raises(SystemExit) as caught:
        main(["keys", "list"])
    assert caught.value.code == 130
    assert capsys.readouterr() == ("", "tokenkit: interrupted\n")
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "130" in capsys.readouterr().out
