"""What is in the archive, with a modprobe that lists what the test wants."""

import lzma
import subprocess
from pathlib import Path

import pytest

from tokenkit.vm import GuestError, Kernel, KernelError
from tokenkit.vm.initramfs import write_initramfs

# stands for busybox cpio: the names, so that no program is needed to read them
NAMES = "#!/bin/sh\ncat\n"


@pytest.fixture
def archive(tmp_path, fakes):
    """Make it with these modules; the names in it, and the folder it was made from."""

    def make(modprobe: str, busybox: str = NAMES) -> tuple[list[str], Path]:
        tools = {
            "modprobe": str(fakes("modprobe", f"#!/bin/sh\n{modprobe}\n")),
            "busybox": str(fakes("busybox", busybox)),
        }
        work = tmp_path / "work, with a space"
        work.mkdir()
        kernel = Kernel("6.1.0", tmp_path / "cache")
        write_initramfs(tmp_path / "initrd", work, kernel, tools)
        return (tmp_path / "initrd").read_text().splitlines(), work

    return make


def test_modules_go_in_once_in_order_and_uncompressed(archive, tmp_path):
    (tmp_path / "my dir").mkdir()
    (tmp_path / "my dir/a.ko").write_bytes(b"a")
    (tmp_path / "my dir/b.ko.xz").write_bytes(lzma.compress(b"b"))
    listing = f"insmod {tmp_path}/my dir/a.ko \ninsmod {tmp_path}/my dir/b.ko.xz \nbuiltin virtio"
    names, work = archive(f"cat <<'END'\n{listing}\nEND")
    assert (work / "modules/order").read_text() == "a.ko\nb.ko\n"
    assert (work / "modules/b.ko").read_bytes() == b"b"
    assert {"init", "session.sh", "bin/busybox", "proc", "modules/a.ko"} <= set(names)
    assert (work / "init").stat().st_mode & 0o111
    assert (work / "modules/folder").read_text() == f"{tmp_path}/cache/lib/modules"


def test_a_kernel_without_a_module_is_refused(archive):
    with pytest.raises(KernelError, match=r"6\.1\.0 has no module virtio_pci: not found"):
        archive("echo not found >&2; exit 1")


def test_a_failing_cpio_is_said(archive):
    with pytest.raises(GuestError, match="busybox cpio failed: disk full"):
        archive("true", "#!/bin/sh\ncat >/dev/null; echo disk full >&2; exit 1\n")


@pytest.mark.parametrize("script", ["init.sh", "session.sh"])
def test_the_scripts_are_shell(script):
    path = Path(__file__).parents[3] / "tokenkit/vm" / script
    subprocess.run(["sh", "-n", path], check=True)
    assert "\r" not in path.read_text()
