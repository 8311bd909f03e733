"""Fetching a kernel, with an apt that hands out what the test made."""

import bz2
import gzip
import lzma
import os
import shutil
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.vm import KernelError, cache_folder, fetch_kernel, find_kernel
from tokenkit.vm.kernel import module, packages, uncompressed

BOOKWORM = """\
linux-image-amd64
  Depends: linux-image-6.1.0-56-amd64
linux-image-6.1.0-56-amd64
  PreDepends: <linux-initramfs-tool>
    initramfs-tools
  Depends: kmod
  Depends: linux-base
kmod
linux-base
"""
SPLIT = """\
linux-image-amd64
  Depends: linux-image-6.17.8+deb14-amd64
linux-image-6.17.8+deb14-amd64
  Depends: linux-binary-6.17.8+deb14-amd64
 |Depends: linux-modules-6.17.8+deb14-amd64
linux-binary-6.17.8+deb14-amd64
linux-modules-6.17.8+deb14-amd64
linux-base-6.17.8+deb14-amd64
"""
NAME = "linux-image-6.1.0-56-amd64"


def bzimage(payload: bytes) -> bytes:
    setup = bytearray(5 * 512)
    setup[0x1F1] = 4
    setup[0x202:0x206] = b"HdrS"
    setup[0x248:0x24C] = (100).to_bytes(4, "little")
    return bytes(setup) + bytes(100) + payload + len(payload).to_bytes(4, "little")


ELF = b"\x7fELF" + bytes(1000)


@pytest.mark.parametrize("compress", [lzma.compress, bz2.compress, gzip.compress])
def test_the_elf_file_of_an_image_comes_out(compress):
    assert uncompressed(bzimage(compress(ELF))) == ELF


@pytest.mark.parametrize(
    "image",
    [
        b"",
        ELF,
        bzimage(b""),
        bzimage(b"\x28\xb5\x2f\xfd zstd"),
        bzimage(lzma.compress(b"no ELF file")),
        bzimage(lzma.compress(ELF)[:40]),
        bzimage(zlib.compress(ELF)),
    ],
    ids=["empty", "no bzImage", "no payload", "zstd", "no ELF", "truncated", "zlib"],
)
def test_what_holds_none_is_left_to_the_guest(image):
    assert uncompressed(image) is None


@given(st.binary(), st.binary(max_size=40))
def test_any_bytes_are_an_image_or_none(image, payload):
    assert uncompressed(image) is None
    assert uncompressed(bzimage(payload)) is None


def test_packages_are_those_of_the_release_and_no_others():
    assert packages(BOOKWORM) == [NAME]
    parts = ("binary", "image", "modules")
    assert packages(SPLIT) == [f"linux-{part}-6.17.8+deb14-amd64" for part in parts]
    assert packages("") == []
    assert packages("N: Unable to locate package linux-image-amd64") == []


def test_modules_are_unpacked_for_insmod(tmp_path):
    for name, data in (("a.ko", b"x"), ("b.ko.xz", lzma.compress(b"x"))):
        (tmp_path / name).write_bytes(data)
        assert module(tmp_path / name) == b"x"
    (tmp_path / "c.ko.gz").write_bytes(gzip.compress(b"x"))
    assert module(tmp_path / "c.ko.gz") == b"x"
    (tmp_path / "d.ko.new").touch()
    with pytest.raises(KernelError, match=r"d\.ko\.new"):
        module(tmp_path / "d.ko.new")


@pytest.mark.parametrize(("said", "is_home"), [("", True), ("relative", True), ("/x", False)])
def test_the_cache_is_where_xdg_says(said, is_home):
    folder = cache_folder(environ={"XDG_CACHE_HOME": said})
    assert folder == (Path.home() / ".cache" if is_home else Path("/x")) / "tokenkit/vm"


@pytest.fixture
def cache(tmp_path, fakes) -> Path:
    """The cache to be, where apt has the kernel that lies in tmp_path/tree."""
    tree = tmp_path / "tree"
    for path, data in (
        (f"boot/vmlinuz-{NAME}", bzimage(lzma.compress(ELF))),
        (f"boot/config-{NAME}", b"CONFIG_X=y\nCONFIG_PVH=y\n"),
        ("lib/modules/6.1.0-56-amd64/kernel/uhid.ko", b"module"),
    ):
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(data)
    (tree / "lib/modules/6.1.0-56-amd64/build").symlink_to("/nowhere")
    (tmp_path / "listing").write_text(BOOKWORM)
    fakes("apt-cache", f"#!/bin/sh\ncat {tmp_path}/listing\n")
    fakes("apt-get", f"#!/bin/sh\nshift\necho $* >>{tmp_path}/fetched\ntouch $1.deb\n")
    fakes("dpkg", f'#!/bin/sh\ncp -a {tmp_path}/tree "$3"\n')
    fakes("depmod", '#!/bin/sh\ntouch "$2/lib/modules/$3/modules.dep"\n')
    return tmp_path / "cache"


def fetches(cache: Path) -> list[str]:
    fetched = cache.parent / "fetched"
    return fetched.read_text().splitlines() if fetched.exists() else []


def left(cache: Path) -> list[str]:
    return sorted(os.listdir(cache)) if cache.exists() else []


def test_a_kernel_is_fetched_once(cache):
    said: list[str] = []
    kernel = fetch_kernel(cache, say=said.append)
    assert kernel == find_kernel(cache) == fetch_kernel(cache, say=said.append)
    assert kernel.version == "6.1.0-56-amd64"
    assert kernel.image.read_bytes() == ELF
    modules = kernel.root / "lib/modules/6.1.0-56-amd64"
    assert sorted(os.listdir(modules)) == ["kernel", "modules.dep"]
    assert fetches(cache) == [NAME]
    assert said == [f"fetching {NAME}"]
    assert left(cache) == ["current", NAME, "lock"]


def test_a_newer_one_takes_its_place_and_the_older_stays(cache):
    old = fetch_kernel(cache)
    (cache.parent / "listing").write_text(BOOKWORM.replace("-56-", "-57-"))
    modules = cache.parent / "tree/lib/modules"
    (modules / "6.1.0-56-amd64").rename(modules / "6.1.0-57-amd64")
    assert fetch_kernel(cache).version == "6.1.0-57-amd64"
    assert find_kernel(cache).version == "6.1.0-57-amd64"
    assert old.image.exists()


def test_where_qemu_cannot_start_elf_files_the_image_stays_as_it_is(cache):
    (cache.parent / f"tree/boot/config-{NAME}").write_text("# CONFIG_PVH is not set\n")
    assert fetch_kernel(cache).image.read_bytes() == bzimage(lzma.compress(ELF))


def test_modules_may_lie_below_usr(cache):
    tree = cache.parent / "tree"
    (tree / "usr").mkdir()
    (tree / "lib").rename(tree / "usr/lib")
    kernel = fetch_kernel(cache)
    assert (kernel.root / "lib/modules" / kernel.version / "kernel/uhid.ko").exists()


def test_offline_the_one_that_is_there_will_do(cache):
    kernel = fetch_kernel(cache)
    (cache.parent / "listing").write_text("")
    assert fetch_kernel(cache) == kernel
    shutil.rmtree(cache)
    with pytest.raises(KernelError, match="apt-get update"):
        fetch_kernel(cache)


@pytest.mark.parametrize(
    ("tool", "says"),
    [
        ("apt-get", "apt-get download failed: E: no network"),
        ("dpkg", "dpkg -x failed: E: no network"),
        ("depmod", "depmod failed: E: no network"),
    ],
)
def test_a_step_that_fails_leaves_nothing(cache, fakes, tool, says):
    working = Path(shutil.which(tool)).read_text()
    fakes(tool, "#!/bin/sh\necho E: no network >&2\nexit 100\n")
    with pytest.raises(KernelError, match=says):
        fetch_kernel(cache)
    assert left(cache) == ["lock"]
    fakes(tool, working)
    assert fetch_kernel(cache) == find_kernel(cache)


def test_a_full_disk_is_said_whatever_else_is(cache, fakes):
    fakes("dpkg", "#!/bin/sh\nprintf 'x: No space left on device\\nexit 2\\n' >&2\nexit 2\n")
    with pytest.raises(KernelError, match=r"dpkg -x failed: .*: No space left on device$"):
        fetch_kernel(cache)


def test_what_a_killed_one_left_is_swept_away(cache):
    (cache / ".unpacking-abc/tree").mkdir(parents=True)
    (cache / "current.new").symlink_to("nowhere")
    fetch_kernel(cache)
    assert left(cache) == ["current", NAME, "lock"]


def test_packages_without_a_kernel_are_refused(cache):
    shutil.rmtree(cache.parent / "tree/lib")
    with pytest.raises(KernelError, match="not a kernel"):
        fetch_kernel(cache)
    assert left(cache) == ["lock"]


def test_a_cache_that_cannot_be_made_is_named(tmp_path, cache):
    (tmp_path / "file").touch()
    with pytest.raises(KernelError, match="file"):
        fetch_kernel(tmp_path / "file/cache")


def test_half_a_cache_is_none(cache):
    (cache / "current").mkdir(parents=True)
    with pytest.raises(KernelError, match="tokenkit vm prepare"):
        find_kernel(cache)
