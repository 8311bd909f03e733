import platform

import pytest

from tokenkit.vm import MissingToolError
from tokenkit.vm.tools import TO_RUN, find_tools, last_line


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where all programs would have to be."""
    monkeypatch.setattr("tokenkit.vm.tools._SYSTEM_FOLDERS", ())
    return tmp_path


def put(folder, name, data=b"#!/bin/sh\n"):
    (folder / name).write_bytes(data)
    (folder / name).chmod(0o755)


def test_one_line_names_all_that_is_missing_and_its_packages(folder):
    with pytest.raises(MissingToolError) as refused:
        find_tools(TO_RUN, environ={"PATH": str(folder)})
    assert str(refused.value) == (
        "tokenkit vm needs busybox, modprobe, qemu-system-x86_64, setpriv, udevadm: "
        "apt-get install busybox-static kmod qemu-system-x86 udev util-linux"
    )


def test_a_busybox_that_needs_libraries_is_none(folder):
    put(folder, "busybox", b"\x7fELF" + bytes(700) + b"/lib64/ld-linux-x86-64.so.2\0")
    with pytest.raises(MissingToolError, match=r"apt-get install busybox-static$"):
        find_tools(["busybox"], environ={"PATH": str(folder)})
    put(folder, "busybox", b"\x7fELF" + bytes(5000) + b"/lib64/ld-linux-x86-64.so.2\0")
    assert find_tools(["busybox"], environ={"PATH": str(folder)}) == {
        "busybox": str(folder / "busybox")
    }


def test_ordinary_users_have_no_sbin_on_their_path(tmp_path, monkeypatch):
    monkeypatch.setattr("tokenkit.vm.tools._SYSTEM_FOLDERS", (str(tmp_path),))
    put(tmp_path, "depmod")
    assert find_tools(["depmod"], environ={}) == {"depmod": str(tmp_path / "depmod")}


@pytest.mark.parametrize(("system", "machine"), [("Darwin", "x86_64"), ("Linux", "aarch64")])
def test_other_machines_are_refused(monkeypatch, system, machine):
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(MissingToolError, match=f"this is {system} on {machine}"):
        find_tools(["busybox"])


@pytest.mark.parametrize(
    ("text", "last"), [("", "it says nothing"), ("a\n  b  \n\n", "b"), ("\n", "it says nothing")]
)
def test_the_last_line_is_what_a_program_complained_of(text, last):
    assert last_line(text) == last
