"""A pcscd of our own with vpcd's two readers, and keys on them.

It runs in a mount namespace where /run/pcscd is a folder of ours, and its vpcd listens on ports of
ours: so any number of test processes have one each, and the machine's own is left alone.
"""

import asyncio
import contextlib
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

from firmware_sim.port.vpcd import VpcdPort
from firmware_sim.profiles import load_profile
from firmware_sim.security_key import SecurityKey
from firmware_sim.world.clock import SystemClock
from firmware_sim.world.entropy import OsEntropy

DAEMON = "/usr/sbin/pcscd"
DRIVER = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so"
READERS = ("Virtual PCD 00 00", "Virtual PCD 00 01")
_START = 'mkdir -p /run/pcscd && mount --bind "$1" /run/pcscd && exec "$2" --foreground -c "$3"'
_WAIT_S = 30


class UnavailableError(Exception):
    """Says what is missing on this machine, and how to get it."""


class Pcscd:
    """``folder`` is for its socket and configuration; clients need ``environment``."""

    def __init__(self, folder):
        if not Path(DAEMON).exists() or not Path(DRIVER).exists():
            raise UnavailableError(
                "pcscd or vpcd is not installed: apt-get install pcscd vsmartcard-vpcd"
            )
        if importlib.util.find_spec("smartcard") is None:
            raise UnavailableError(
                "pyscard is not installed: pip install 'tokenkit[pcsc]',"
                " which needs apt-get install gcc swig libpcsclite-dev"
            )
        if shutil.which("unshare") is None:
            raise UnavailableError("unshare is not installed: apt-get install util-linux")
        self._run, self._configuration = folder / "run", folder / "reader.conf.d"
        self._run.mkdir()
        self._configuration.mkdir()
        self.port = _two_free_ports()
        (self._configuration / "vpcd").write_text(
            f'FRIENDLYNAME "Virtual PCD"\nDEVICENAME /dev/null:{self.port}\n'
            f"LIBPATH {DRIVER}\nCHANNELID {self.port}\n"
        )
        self.environment = {
            **os.environ,
            "PCSCLITE_CSOCK_NAME": str(self._run / "pcscd.comm"),
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        self._log = folder / "log"

    def start(self):
        unshare = ["unshare", "--mount"]
        if os.geteuid() != 0:
            unshare += ["--user", "--map-root-user"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*unshare, "sh", "-c", _START, "sh", self._run, DAEMON, self._configuration],
                stdout=log,
                stderr=log,
            )
        for _ in range(_WAIT_S * 10):
            if _listens(self.port):
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.1)
                break
        self.stop()
        raise UnavailableError(
            f"pcscd does not start in a namespace of its own: {self._log.read_text()!r}"
        )

    def stop(self):
        self._process.terminate()
        self._process.wait(_WAIT_S)
        (self._run / "pcscd.comm").unlink(missing_ok=True)


def _two_free_ports():
    """The first of two neighbours, as vpcd takes one for each reader."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("", 0))
            port = first.getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                second.bind(("", port + 1))
                return port


def _listens(port):
    """Whether somebody does; a connection would be taken for a card."""
    state = f":{port:04X} 00000000:0000 0A "
    return state in Path("/proc/net/tcp").read_text()


class Rig:
    """Keys on the readers of a pcscd, on a loop in a thread of its own."""

    def __init__(self, pcscd):
        self.pcscd = pcscd
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.port = VpcdPort(pcscd.port)
        self._programs = []

    def wait(self, coroutine):
        """What ``coroutine`` returns on the loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_WAIT_S)

    def lay_on(self, profile="yubikey-5.7", **options):
        """A new key on the first free reader, and its plug."""
        options.setdefault("serial_number", "VIRTUAL-0012345678")
        key = SecurityKey(
            load_profile(profile), clock=SystemClock(), entropy=OsEntropy(), **options
        )
        return key, self.lay_on_again(key)

    def lay_on_again(self, key):
        return self.wait(self.port.plug(key))

    def take_off(self, plug):
        self.wait(plug.pull())

    def call(self, function):
        """Run ``function`` on the loop, where keys may be touched."""

        async def run():
            return function()

        return self.wait(run())

    def close(self):
        for program in self._programs:
            program.kill()
            with program:
                program.wait()
        self.wait(self.port.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # -- real programs ---------------------------------------------------------------------------

    def program(self, *command, check=True, **options):
        """Run a program to its end; its standard output, or all of it if it may fail."""
        done = subprocess.run(
            [str(each) for each in command],
            env={**self.pcscd.environment, **options.pop("environment", {})},
            capture_output=True,
            text=True,
            timeout=120,
            **options,
        )
        if not check:
            return done
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def python(self, code):
        """Run ``code`` in another process, which ends by printing JSON; returns that."""
        return json.loads(self.program(sys.executable, "-W", "error", "-c", _CLIENT + code))

    def start(self, *command):
        """Start a program, to be talked to."""
        program = subprocess.Popen(
            command,
            env=self.pcscd.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._programs.append(program)
        return program

    def start_python(self, code):
        """Start ``code`` and wait until it prints its first line."""
        process = self.start(sys.executable, "-c", _CLIENT + code)
        process.stdout.readline()
        return process


# what clients begin with
_CLIENT = """
import hashlib, json, threading, time
from smartcard.System import readers

def reader(name="Virtual PCD 00 00"):
    return next(each for each in readers() if each.name == name)

def connect(name="Virtual PCD 00 00"):
    connection = reader(name).createConnection()
    connection.connect()
    return connection

def send(connection, text):
    data, sw1, sw2 = connection.transmit(list(bytes.fromhex(text)))
    return bytes(data).hex(), f"{sw1:02x}{sw2:02x}"

def device(name="Virtual PCD 00 00"):
    from fido2.pcsc import CtapPcscDevice
    return CtapPcscDevice(reader(name).createConnection(), name)

SELECT_FIDO = "00a4040008a0000006472f000100"
SELECT_OATH = "00a4040007a000000527210100"
"""
