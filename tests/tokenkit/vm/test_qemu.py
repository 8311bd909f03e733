from itertools import pairwise
from pathlib import Path

from tokenkit.vm import Kernel
from tokenkit.vm.qemu import command_line

TOOLS = {"setpriv": "/usr/bin/setpriv", "qemu-system-x86_64": "/usr/bin/qemu-system-x86_64"}
CHANNELS = {"control": 5, "stdout": 6, "stderr": 7}


def line(folder: str = "/tmp/job", accelerator: str = "tcg") -> list[str]:
    kernel = Kernel("6.1.0", Path("/cache/6.1.0"))
    return command_line(kernel, Path(folder), TOOLS, accelerator, 1024, CHANNELS)


def values(of: str, command: list[str]) -> list[str]:
    return [value for option, value in pairwise(command) if option == of]


def test_the_hosts_files_are_shared_read_only():
    root, job = values("-virtfs", line())
    assert root.startswith("local,path=/,mount_tag=root,")
    assert root.endswith(",readonly=on")
    assert "security_model=none" in root
    assert job.startswith("local,path=/tmp/job/job,mount_tag=job,")
    assert "readonly" not in job


def test_a_comma_in_a_path_is_no_end_of_it():
    assert values("-virtfs", line("/tmp/a,b"))[1].startswith("local,path=/tmp/a,,b/job,mount_tag=")


def test_it_dies_with_this_program_and_has_no_network():
    assert line()[:5] == [
        "/usr/bin/setpriv",
        "--pdeathsig",
        "KILL",
        "--",
        TOOLS["qemu-system-x86_64"],
    ]
    assert "-nodefaults" in line()
    assert not any("net" in word for word in line())


def test_software_emulates_one_processor(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: range(3))
    emulated, real = line(), line(accelerator="kvm")
    assert (values("-accel", emulated), values("-smp", emulated)) == (["tcg"], ["1"])
    assert (values("-accel", real), values("-smp", real)) == (["kvm"], ["3"])


def test_each_channel_is_a_port_in_this_order():
    chardevs = values("-chardev", line())
    assert chardevs == ["socket,id=control,fd=5", "socket,id=stdout,fd=6", "socket,id=stderr,fd=7"]
    ports = [each for each in values("-device", line()) if each.startswith("virtserialport")]
    assert [port.split(",")[1] for port in ports] == ["nr=1", "nr=2", "nr=3"]
