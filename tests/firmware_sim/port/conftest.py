"""Configfs as the kernel has it, in a folder: for the gadget's tests."""

import errno
import os

import pytest

DEFAULT_FOLDERS = {"gadget": ("configs", "functions", "strings"), "configuration": ("strings",)}


class Configfs:
    """``root`` acts as /sys/kernel/config/usb_gadget: folders come with their attributes."""

    def __init__(self, root):
        self.root = root
        self.has_hid_function = True
        self.minors = 0
        self.removed = []

    def mkdir(self, path, real):
        real(path)
        kind = self.kind(path)
        for name in DEFAULT_FOLDERS.get(kind, ()):
            real(path / name)
        if kind == "gadget":
            (path / "UDC").write_text("")
        if kind == "function":
            if not self.has_hid_function:
                os.rmdir(path)
                raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
            (path / "dev").write_text(f"240:{self.minors}\n")
            self.minors += 1

    def rmdir(self, path, real):
        kind = self.kind(path)
        for entry in path.iterdir():
            if entry.is_symlink():
                raise OSError(errno.EBUSY, "Device or resource busy", str(path))
            if entry.is_dir():
                assert entry.name in DEFAULT_FOLDERS[kind], "what a user made comes first"
                assert not any(entry.iterdir())
        if kind == "function":
            gadget = path.parents[1]
            assert not any(gadget.glob("configs/*/hid.usb0")), "it is still linked"
        if kind == "gadget":
            assert (path / "UDC").read_text().strip() == "", "it is still bound"
        for entry in path.iterdir():
            real(entry) if entry.is_dir() else entry.unlink()
        real(path)
        self.removed.append(str(path.relative_to(self.root)))

    def kind(self, path):
        parts = path.relative_to(self.root).parts
        kinds = {"functions": "function", "configs": "configuration", "strings": "strings"}
        return "gadget" if len(parts) == 1 else kinds[parts[1]]

    @property
    def gadgets(self):
        return sorted(each.name for each in self.root.iterdir())


@pytest.fixture
def configfs(tmp_path, monkeypatch):
    root = tmp_path / "usb_gadget"
    root.mkdir()
    made = Configfs(root)
    mkdir, rmdir = os.mkdir, os.rmdir

    def fake_mkdir(path, *args, **kwargs):
        if root in getattr(path, "parents", ()):
            made.mkdir(path, mkdir)
        else:
            mkdir(path, *args, **kwargs)

    def fake_rmdir(path, *args, **kwargs):
        if root in getattr(path, "parents", ()):
            made.rmdir(path, rmdir)
        else:
            rmdir(path, *args, **kwargs)

    monkeypatch.setattr(os, "mkdir", fake_mkdir)
    monkeypatch.setattr(os, "rmdir", fake_rmdir)
    return made
