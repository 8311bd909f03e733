"""What becomes of a command, with a QEMU that plays the guest without booting one."""

import os
from pathlib import Path

import pytest

from tokenkit.vm import GuestError, KernelError, run_in_guest


@pytest.fixture(autouse=True)
def host(fake_host, tmp_path):
    yield fake_host
    assert list((tmp_path / "temporary").iterdir()) == []


def test_status_and_both_streams_come_back():
    done = run_in_guest(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.returncode, done.stdout, done.stderr) == (3, b"out\n", b"err\n")
    assert not done.timed_out
    assert done.missing == {}


def test_output_may_go_elsewhere(tmp_path):
    with (tmp_path / "out").open("wb") as out:
        done = run_in_guest(["sh", "-c", "echo out; echo err >&2"], stdout=out)
    assert (tmp_path / "out").read_bytes() == b"out\n"
    assert (done.stdout, done.stderr) == (b"", b"err\n")


def test_all_of_much_output_comes_back():
    done = run_in_guest(["sh", "-c", "head -c 3000000 /dev/zero"])
    assert done.stdout == bytes(3_000_000)


def test_files_and_folders_are_brought_whole(host):
    Path("old").write_text("before")
    os.symlink("made/a", "link")
    done = run_in_guest(
        ["sh", "-c", "mkdir -p made/b && echo 1 >made/a && chmod 700 made/a && echo 2 >new"],
        bring=["made", f"{host}/new", "link", "none", "old"],
        out=host / "out/deep",
    )
    out = host / "out/deep"
    assert sorted(os.listdir(out)) == ["link", "made", "new", "old"]
    assert (out / "made/a").read_text() == (out / "link").read_text() == "1\n"
    assert (out / "made/a").stat().st_mode & 0o777 == 0o700
    assert not (out / "link").is_symlink()
    assert "No such file" in done.missing["none"]


def test_a_file_that_is_brought_replaces_another(host):
    (host / "out").mkdir()
    (host / "out/report").write_text("before")
    run_in_guest(["sh", "-c", "echo after >report"], bring=["report"], out=host / "out")
    assert (host / "out/report").read_text() == "after\n"


@pytest.mark.parametrize(
    ("bring", "says"),
    [
        (["a/x", "b/x"], "two files would become"),
        (["folder"], "is there already"),
        ([".."], "has no name"),
        (["/"], "has no name"),
        ([""], "has no name"),
    ],
)
def test_what_cannot_be_brought_is_said_before_the_guest_starts(host, bring, says):
    (host / "folder").mkdir()
    with pytest.raises(GuestError, match=says):
        run_in_guest(["touch", "started"], bring=bring)
    assert not (host / "started").exists()


def test_the_environment_is_a_little_of_the_hosts(monkeypatch):
    monkeypatch.setenv("SECRET", "1")
    monkeypatch.setenv("HOME", "/home/alice")
    done = run_in_guest(["env"], env={"MORE": "a\nb"})
    seen = done.stdout.decode()
    assert "HOME=/home/alice" in seen
    assert "MORE=a\nb" in seen
    assert "SECRET" not in seen


@pytest.mark.parametrize("name", ["", "A B", "1A", "A-B", "A\n", "Ä"])
def test_a_name_that_no_shell_can_export_is_refused(name):
    with pytest.raises(GuestError, match="environment variable"):
        run_in_guest(["true"], env={name: "x"})


@pytest.mark.parametrize("command", [[], [""]])
def test_nothing_is_no_command(command):
    with pytest.raises(GuestError, match="name a command"):
        run_in_guest(command)


def test_a_folder_that_is_gone_is_said(host):
    with pytest.raises(GuestError, match="no folder"):
        run_in_guest(["true"], cwd=host / "gone")
    (host / "going").mkdir()
    os.chdir(host / "going")
    os.rmdir(host / "going")
    with pytest.raises(GuestError, match="current folder is gone"):
        run_in_guest(["true"])


def test_without_a_kernel_it_says_how_to_get_one(tmp_path):
    with pytest.raises(KernelError, match="tokenkit vm prepare"):
        run_in_guest(["true"], cache=tmp_path / "empty")


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("dies", "before the command was run:\nqemu: no such machine$"),
        ("trouble", "^the guest cannot mount$"),
        ("panics", "was run:\n.*Kernel panic.*\n(.*trace\n){6}.*trace$"),
    ],
)
def test_a_guest_that_dies_early_says_why(monkeypatch, mode, says):
    monkeypatch.setenv("FAKE", mode)
    with pytest.raises(GuestError, match=says):
        run_in_guest(["true"])


def test_too_long_is_124_with_the_output_so_far(monkeypatch):
    monkeypatch.setenv("FAKE", "takes long")
    done = run_in_guest(["true"], timeout_s=1, bring=["x"])
    assert (done.returncode, done.timed_out) == (124, True)
    monkeypatch.setenv("FAKE", "hangs")
    done = run_in_guest(["true"], timeout_s=0.2)
    assert (done.returncode, done.timed_out, done.started) == (124, True, False)


@pytest.mark.parametrize("mode", ["kvm dies", "kvm hangs"])
def test_where_kvm_does_not_boot_software_does_and_that_is_remembered(monkeypatch, tmp_path, mode):
    (tmp_path / "kvm").touch()
    monkeypatch.setattr("tokenkit.vm.accelerator.DEVICE", str(tmp_path / "kvm"))
    monkeypatch.setattr("tokenkit.vm.guest.KVM_LIMIT_S", 0.5)
    monkeypatch.setenv("FAKE", mode)
    assert run_in_guest(["echo", "once"]).stdout == b"once\n"
    monkeypatch.setattr("tokenkit.vm.guest.KVM_LIMIT_S", None)  # is not looked at again
    assert run_in_guest(["echo", "again"]).stdout == b"again\n"


def test_no_time_left_says_nothing_of_kvm(monkeypatch, tmp_path):
    (tmp_path / "kvm").touch()
    monkeypatch.setattr("tokenkit.vm.accelerator.DEVICE", str(tmp_path / "kvm"))
    monkeypatch.setenv("FAKE", "kvm hangs")
    assert run_in_guest(["true"], timeout_s=0.2).timed_out
    assert not list(tmp_path.glob("xdg/tokenkit/vm/kvm*"))
