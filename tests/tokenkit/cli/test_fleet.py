"""``tokenkit fleet`` as it is typed."""

import csv
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner
from pyarrow import parquet

from tokenkit.cli import main, root
from tokenkit.cli.fleet import _adjusted
from tokenkit.fleet import run as running
from tokenkit.fleet.layout import COUNTS
from tokenkit.fleet.partition import Counted, Partition
from tokenkit.fleet.result import StudyResult
from tokenkit.fleet.study import Study, load, shipped

Run = Callable[..., tuple[int, str, str]]

STUDY = """
title = "Which window?"
start = 2026-01-01T00:00:00Z
years = 0.5

[[batch]]
name = "desk"
tokens = 30

[[batch]]
name = "cold"
tokens = 10
places = ["warehouse"]

[[policy]]
name = "fixed"
learn = "offset"

[[policy]]
name = "adaptive"
learn = "rate"
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run ``tokenkit fleet …`` beside study.toml: exit status, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(running, "PARTITION_TOKENS", 4)
    Path("study.toml").write_text(STUDY, "utf-8")

    def run(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["fleet", *args])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return int(caught.value.code or 0), captured.out, captured.err

    return run


def files() -> set[str]:
    return {str(path) for path in Path().rglob("*") if path.is_file()}


def test_a_study_is_a_table(run: Run) -> None:
    status, out, err = run("study", "study.toml")
    assert (status, err) == (0, "")
    assert "Which window?" in out
    assert "40 tokens for 0.5 years" in out
    rows = [line.split()[0] for line in out.splitlines() if line.split()]
    for policy in ("fixed", "adaptive"):
        first = rows.index(policy)
        assert rows[first + 1 : first + 4] == ["desk", "cold", "all"]


def test_list_names_what_is_shipped(run: Run) -> None:
    status, out, err = run("list")
    assert (status, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == list(shipped())


def test_json_is_all_there_is_on_standard_output(run: Run) -> None:
    status, out, err = run("study", "study.toml", "--json")
    assert (status, err) == (0, "")
    found = StudyResult.from_json(out)
    assert [(batch.name, batch.tokens) for batch in found.batches] == [("desk", 30), ("cold", 10)]
    assert found.seed == 1


def test_workers_make_no_difference_and_the_seed_does(run: Run) -> None:
    first = run("study", "study.toml", "--json", "--workers", "1")
    assert run("study", "study.toml", "--json", "--workers", "3") == first
    other = json.loads(run("study", "study.toml", "--json", "--seed", "2")[1])
    assert other["seed"] == 2
    assert other["cells"] != json.loads(first[1])["cells"]


@pytest.mark.parametrize(
    ("tokens", "sizes"), [("4", [3, 1]), ("1", [1, 1]), ("80", [60, 20]), ("41", [31, 10])]
)
def test_tokens_scales_all_batches(run: Run, tokens: str, sizes: list[int]) -> None:
    found = StudyResult.from_json(run("study", "study.toml", "--json", "--tokens", tokens)[1])
    assert [batch.tokens for batch in found.batches] == sizes


def test_tokens_are_so_many_in_all(run: Run) -> None:
    """Rounded batch by batch they would be one more, or fewer."""
    for tokens in (5, 7, 10, 33, 777, 12345):
        for name in shipped():
            study = _adjusted(load(name).study, None, tokens)
            assert study.tokens == max(tokens, len(study.batch))
            assert all(batch.tokens for batch in study.batch)


def test_csv_has_a_line_for_each_policy_and_batch(run: Run) -> None:
    assert run("study", "study.toml", "--csv", "out.csv")[0] == 0
    with Path("out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["policy"], row["batch"]) for row in rows] == [
        (policy, batch) for policy in ("fixed", "adaptive") for batch in ("desk", "cold", "")
    ]
    found = StudyResult.from_json(run("study", "study.toml", "--json")[1])
    cell = found.cell("fixed", "cold")
    row = rows[1]
    assert int(row["tokens"]) == 10
    assert int(row["rejections"]) == cell.rejections.count
    rate = cell.rejections.per_1000_token_years
    assert float(row["rejections_per_1000_token_years"]) == rate.value
    assert float(row["rejections_per_1000_token_years_low"]) == rate.low
    assert float(row["rejections_per_1000_token_years_high"]) == rate.high


def test_parquet_has_each_token_under_each_policy(run: Run) -> None:
    assert run("study", "study.toml", "--parquet", "out/tables", "--csv", "new/out.csv")[0] == 0
    assert files() == {
        "study.toml",
        "new/out.csv",
        "out/tables/summary.parquet",
        "out/tables/tokens.parquet",
    }
    tokens = parquet.read_table("out/tables/tokens.parquet").to_pylist()
    assert [(row["serial_number"], row["policy"]) for row in tokens] == [
        (f"{batch}{number:08d}", policy)
        for batch, count in (("desk", 30), ("cold", 10))
        for number in range(1, count + 1)
        for policy in ("fixed", "adaptive")
    ]
    assert set(tokens[0]) == {"policy", "batch", "serial_number", *(COUNTS.names or ())}
    summary = parquet.read_table("out/tables/summary.parquet").to_pylist()
    assert [row["batch"] for row in summary] == ["desk", "cold", None] * 2
    for row in summary:
        mine = [
            token
            for token in tokens
            if token["policy"] == row["policy"] and row["batch"] in (None, token["batch"])
        ]
        for name in ("sign_ins", "rejections", "lock_outs", "resyncs", "lost"):
            assert sum(token[name] for token in mine) == row[name]
    with Path("new/out.csv").open(encoding="utf-8") as file:
        assert list(summary[0]) == next(csv.reader(file))


def test_the_report_ends_with_its_path(run: Run) -> None:
    status, out, _ = run("study", "study.toml", "--report", "out")
    assert (status, out.splitlines()[-1]) == (0, "report: out/index.html")
    assert "Which window?" in Path("out/index.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "Missing argument 'STUDY'"),
        (("nowhere.toml",), "nowhere.toml: no such file"),
        (("bad.toml",), "bad.toml:2: "),
        (("study.toml", "--report", "file"), "file"),
        (("study.toml", "--report", "taken"), "taken/index.html"),
        (("study.toml", "--csv", "taken"), "taken"),
        (("study.toml", "--csv", "file/out.csv"), "file"),
        (("study.toml", "--csv", "pipe"), "cannot write pipe: it is no ordinary file"),
        (("study.toml", "--parquet", "file"), "file"),
        (("study.toml", "--parquet", "taken", "--csv", ""), "a folder of that name"),
        (("study.toml", "--checkpoint", "taken"), "taken is no checkpoint"),
        (("study.toml", "--checkpoint", ""), "name a directory"),
        (("study.toml", "--workers", "0"), "--workers"),
        (("study.toml", "--tokens", "0"), "--tokens"),
        (("study.toml", "--seed", "x"), "--seed"),
        (("study.toml", "--scheduler", "gopher://x"), "no Dask scheduler answers at gopher://x"),
        (("study.toml", "--scheduler", "tcp://x:1", "--workers", "2"), "leave out --workers"),
    ],
)
def test_wrong_usage_is_status_2(run: Run, arguments: tuple[str, ...], says: str) -> None:
    Path("bad.toml").write_text(STUDY.replace("title", "tilte"), "utf-8")
    Path("file").write_text("")
    Path("taken/index.html").mkdir(parents=True)
    os.mkfifo("pipe")
    before = files()
    status, out, err = run("study", *arguments)
    assert (status, out) == (2, "")
    assert says in err
    assert files() == before


def test_a_missing_extra_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokenkit.cli.fleet.find_spec", lambda name: None)
    status, _, err = run("study", "study.toml")
    assert status == 2
    assert "pip install 'tokenkit[fleet]'" in err


@pytest.mark.parametrize(
    ("missing", "options"),
    [("distributed", ("--scheduler", "local")), ("pyarrow", ("--parquet", "out"))],
)
def test_what_a_study_does_without_need_not_be_installed(
    run: Run, monkeypatch: pytest.MonkeyPatch, missing: str, options: tuple[str, ...]
) -> None:
    monkeypatch.setattr(
        "tokenkit.cli.fleet.find_spec", lambda name: None if name == missing else find_spec(name)
    )
    monkeypatch.setitem(sys.modules, missing, None)
    assert run("study", "study.toml", "--workers", "1", "--checkpoint", "kept")[0] == 0
    status, _, err = run("study", "study.toml", *options)
    assert status == 2
    assert "pip install 'tokenkit[fleet]'" in err


def test_a_study_that_is_cut_short_goes_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither more nor less is written than without a break."""
    options = ("study.toml", "--json", "--workers", "1", "--parquet", "out", "--checkpoint", "kept")
    expected = run("study", *options[:-1], "other")
    tables = {path.name: path.read_bytes() for path in Path("out").iterdir()}
    for path in Path("out").iterdir():
        path.unlink()

    def cut_short(study: Study, part: Partition) -> Counted:
        if part.first > 16:
            raise KeyboardInterrupt
        return count(study, part)

    count = running.work
    with monkeypatch.context() as patch:
        patch.setattr(running.run, "__defaults__", (None, cut_short))
        status, out, err = run("study", *options)
    assert (status, out) == (130, "")
    assert err.splitlines() == [
        "stopping: what is begun is counted first; Ctrl-C again ends at once",
        "kept keeps what is counted: the same command goes on from there",
        "tokenkit: interrupted",
    ]
    assert not list(Path("out").iterdir())
    assert run("study", *options) == expected
    assert {path.name: path.read_bytes() for path in Path("out").iterdir()} == tables
    status, _, err = run("study", *options, "--seed", "2")
    assert status == 2
    assert "another study" in err


def test_a_killed_study_goes_on(run: Run, tmp_path: Path) -> None:
    """Not even Python can do anything about kill -9."""
    [head, _, _] = STUDY.split("[[batch]]")
    batches = [f'[[batch]]\nname = "b{number}"\ntokens = 3\n' for number in range(20)]
    policies = STUDY[STUDY.index("[[policy]]") :]
    Path("study.toml").write_text("".join([head, *batches, policies]), "utf-8")
    expected = run("study", "study.toml", "--json")
    command = [sys.executable, "-m", "tokenkit", "fleet", "study", "study.toml"]
    process = subprocess.Popen([*command, "--checkpoint", "kept"], stderr=subprocess.PIPE)
    while not (kept := list(tmp_path.glob("kept/tokens-*"))):
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
    process.kill()
    process.communicate()
    assert run("study", "study.toml", "--json", "--checkpoint", "kept") == expected
    assert kept[0].exists()


def test_a_damaged_checkpoint_is_told(run: Run) -> None:
    expected = run("study", "study.toml", "--json", "--checkpoint", "kept")
    Path("kept/tokens-2-5").write_bytes(b"")
    status, out, err = run("study", "study.toml", "--json", "--checkpoint", "kept")
    assert (status, out) == expected[:2]
    assert err == "kept/tokens-2-5 is damaged: its tokens are counted again\n"


def test_the_bar_is_for_terminals(run: Run) -> None:
    """It says how far the study is, and leaves nothing behind."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tokenkit", "fleet", "study", "study.toml", "--json"],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm"},
    )
    out, _ = process.communicate()
    os.close(theirs)
    seen = os.read(ours, 2**20).decode()
    os.close(ours)
    assert process.returncode == 0
    assert "20 of 20 token-years" in seen
    assert seen.endswith("\x1b[2K")
    assert StudyResult.from_json(out)


def test_lines_where_there_is_no_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokenkit.fleet.watch._EVERY_S", 0.0)
    monkeypatch.setattr("tokenkit.fleet.watch._RATE_S", 1e-9)
    _, _, err = run("study", "study.toml", "--json")
    assert err.splitlines()[0] == "2 of 20 token-years"
    assert err.splitlines()[1].startswith("4 of 20 token-years, ")
    assert err.splitlines()[-1].startswith("20 of 20 token-years, ")


def test_ctrl_c_on_a_local_cluster(run: Run, tmp_path: Path) -> None:
    """It reaches the whole process group, of which one has something to say."""
    command = [sys.executable, "-m", "tokenkit", "fleet", "study", "study.toml"]
    command += ["--scheduler", "local", "--workers", "1", "--tokens", "99999999"]
    command += ["--checkpoint", "kept"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    while not list(tmp_path.glob("kept/tokens-*")):
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate()
    assert err.decode().splitlines() == [
        "stopping: what is begun is counted first; Ctrl-C again ends at once",
        "kept keeps what is counted: the same command goes on from there",
        "tokenkit: interrupted",
    ]
    assert process.returncode == 130


NEVER_ENDS = """
import sys, threading
from tokenkit.cli import main
from tokenkit.fleet import run as running

def count(study, part):
    print("begun", flush=True)
    threading.Event().wait()

running.run.__defaults__ = (None, count)
main(["fleet", "study", "study.toml", "--parquet", "out"])
"""


def test_ctrl_c_again_waits_for_nobody(run: Run) -> None:
    """As while code is compiled, which takes a while the first time."""
    process = subprocess.Popen(
        [sys.executable, "-c", NEVER_ENDS], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    assert process.stderr
    assert process.stdout.readline() == b"begun\n"
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline().startswith(b"stopping: ")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert (process.returncode, err) == (-signal.SIGINT, b"")
    assert files() == {"study.toml"}


def test_completion_knows_the_shipped_studies() -> None:
    environment = {"_TOKENKIT_COMPLETE": "bash_complete", "COMP_CWORD": "3"}
    done = CliRunner().invoke(
        root,
        prog_name="tokenkit",
        env={**environment, "COMP_WORDS": "tokenkit fleet study "},
    )
    for name in shipped():
        assert f"plain,{name}" in done.output.splitlines()
    assert "file," in done.output
