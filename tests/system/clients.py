"""What real programs do with a new key at /dev/hidrawN, wherever that comes from.

``python clients.py [DEVICE]`` runs every check with the standard library alone, and prints JSON:
for each check ``null`` if it held, else what went wrong; what is not installed is named with its
remedy. Exit status 1 if one failed. The key must have been plugged in less than ten seconds ago,
and be touched at once: the first check resets it. All that is on it is lost.
"""

import argparse
import base64
import getpass
import hashlib
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PIN = "1234"
OTHER_PIN = "567890"
RP_ID = "example.com"
# generous: a guest without hardware support is slow
TIMEOUT_S = 120.0
PACKAGES = {
    "fido2-token": "fido2-tools",
    "fido2-cred": "fido2-tools",
    "fido2-assert": "fido2-tools",
    "ssh-keygen": "openssh-client",
    "ssh": "openssh-client",
    "sshd": "openssh-server",
    "pamu2fcfg": "pamu2fcfg",
}
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


class CheckError(Exception):
    """A program did something else than it should."""


@dataclass
class Desk:
    """The key's ``device`` and a ``folder`` for files."""

    device: str
    folder: Path

    def file(self, name: str, *lines: str | bytes) -> str:
        """A new file of lines; those that are bytes are written in base64."""
        texts = [each if isinstance(each, str) else b64(each) for each in lines]
        path = self.folder / name
        path.write_text("".join(f"{text}\n" for text in texts))
        return str(path)

    def lines(self, name: str) -> list[str]:
        return (self.folder / name).read_text().splitlines()

    def path(self, name: str) -> str:
        return str(self.folder / name)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def find(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:{_SBIN}")


def run(*command: str, fails: bool = False) -> str:
    """Run ``command`` without a terminal; what it printed. CheckError if it fails, or ought to."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=TIMEOUT_S,
        start_new_session=True,  # no terminal to ask on
    )
    return _judge(command, done.returncode, done.stdout, fails)


def talk(*command: str, answers: dict[str, str], fails: bool = False) -> str:
    """Run ``command`` on a terminal of its own and type ``answers`` at the prompts they match.

    What was on the terminal; CheckError if it fails, or ought to, or asks something else.
    """
    child, terminal = pty.fork()
    if child == 0:
        try:
            os.execvp(command[0], command)
        finally:
            os._exit(127)
    shown, answered = "", 0
    end_s = time.monotonic() + TIMEOUT_S
    try:
        while True:
            if not select.select([terminal], [], [], max(0.0, end_s - time.monotonic()))[0]:
                os.kill(child, signal.SIGKILL)
                raise CheckError(f"{' '.join(command)}: waits for ever after: {shown}")
            try:
                data = os.read(terminal, 4096)
            except OSError:  # the other side is closed
                break
            if not data:
                break
            shown += data.decode(errors="replace")
            for prompt, answer in answers.items():
                if match := re.search(prompt, shown[answered:]):
                    answered += match.end()
                    os.write(terminal, answer.encode() + b"\n")
    finally:
        os.close(terminal)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return _judge(command, status, shown, fails)


def _judge(command: tuple[str, ...], status: int, output: str, fails: bool) -> str:
    if (status != 0) != fails:
        raise CheckError(f"{' '.join(command)}: exit status {status}: {output.strip()}")
    return output


def demand(condition: object, *seen: object) -> None:
    if not condition:
        raise CheckError(" ".join(map(str, seen)))


# fido2-tools


def check_reset(desk: Desk) -> None:
    """Set a PIN and reset at once: -R takes only a key that was just plugged in."""
    talk("fido2-token", "-S", desk.device, answers={"new PIN.*: ": PIN, "again: ": PIN})
    run("fido2-token", "-R", desk.device)
    info = run("fido2-token", "-I", desk.device)
    demand("noclientPin" in info, info)


def check_list(desk: Desk) -> None:
    listed = run("fido2-token", "-L")
    demand(re.search(rf"^{desk.device}: vendor=0x[0-9a-f]+, product=0x", listed, re.M), listed)


def check_info(desk: Desk) -> None:
    info = run("fido2-token", "-I", desk.device)
    demand("version strings: " in info and "FIDO_2_0" in info, info)


def check_u2f(desk: Desk) -> None:
    """A credential and an assertion over CTAP1 messages."""
    _register(desk, "u2f", "-u")
    _assert(desk, "u2f", "-u")


def check_plain(desk: Desk) -> None:
    _register(desk, "plain")
    _assert(desk, "plain")


def check_eddsa(desk: Desk) -> None:
    _register(desk, "eddsa", kind="eddsa")
    _assert(desk, "eddsa", kind="eddsa")


def check_hmac_secret(desk: Desk) -> None:
    """The same salt gives the same secret, another gives another."""
    _register(desk, "hmac", "-h")
    secrets = []
    for salt in (b"a" * 32, b"a" * 32, b"b" * 32):
        _assert(desk, "hmac", "-h", salt=salt)
        secrets.append(base64.b64decode(desk.lines("hmac.assert")[-1]))
    demand(len(secrets[0]) == 32 and secrets[0] == secrets[1] != secrets[2], "secrets differ")


def check_pamu2fcfg(desk: Desk) -> None:
    line = run("pamu2fcfg", "-u", "joe", "-o", "pam://desk", "-i", "pam://desk")
    demand(re.search(r"^joe:[^,]+,[^,]+,es256,\+presence$", line, re.M), line)


def check_set_pin(desk: Desk) -> None:
    talk("fido2-token", "-S", desk.device, answers={"new PIN.*: ": PIN, "again: ": PIN})
    info = run("fido2-token", "-I", desk.device)
    demand(re.search(r"[ ,]clientPin", info), info)


def check_change_pin(desk: Desk) -> None:
    """To another PIN and back; the old one does not work meanwhile."""

    def change(old: str, new: str, fails: bool = False) -> None:
        answers = {"current PIN.*: ": old, "new PIN.*: ": new, "again: ": new}
        talk("fido2-token", "-C", desk.device, answers=answers, fails=fails)

    change(PIN, OTHER_PIN)
    change(PIN, OTHER_PIN, fails=True)
    change(OTHER_PIN, PIN)


def check_with_pin(desk: Desk) -> None:
    """User verification by PIN, at registration and assertion."""
    _register(desk, "pin", "-v")
    _assert(desk, "pin", "-v", "-t", "pin=true")


def check_wrong_pin(desk: Desk) -> None:
    credential = ("fido2-cred", "-M", "-v", "-i", _parameters(desk, "wrong"), desk.device)
    talk(*credential, answers={"PIN.*: ": "9999"}, fails=True)
    _register(desk, "right", "-v")


def check_resident(desk: Desk) -> None:
    """A discoverable credential, used without its id."""
    _register(desk, "resident", "-r", "-v")
    talk(*_resident_assertion(desk), answers={"PIN.*: ": PIN})
    run("fido2-assert", "-V", "-v", "-i", desk.path("resident.assert"), desk.path("resident.pub"))


def check_managed(desk: Desk) -> None:
    """That credential listed and deleted, which libfido2 1.12 does by the preview command alone."""
    parties = talk("fido2-token", "-L", "-r", desk.device, answers={"PIN.*: ": PIN})
    demand(RP_ID in parties, parties)
    listed = talk("fido2-token", "-L", "-k", RP_ID, desk.device, answers={"PIN.*: ": PIN})
    identifier = desk.lines("resident.cred")[4]
    demand(identifier in listed, listed)
    talk("fido2-token", "-D", "-i", identifier, desk.device, answers={"PIN.*: ": PIN})
    talk(*_resident_assertion(desk), answers={"PIN.*: ": PIN}, fails=True)


def _resident_assertion(desk: Desk) -> list[str]:
    parameters = desk.file("resident.in", hashlib.sha256(b"client data").digest(), RP_ID)
    asserted = desk.path("resident.assert")
    return ["fido2-assert", "-G", "-r", "-v", "-i", parameters, "-o", asserted, desk.device]


def check_cred_protect(desk: Desk) -> None:
    """Level 3: no assertion without the PIN."""
    _register(desk, "protect", "-v", "-c", "3")
    asserting = ("fido2-assert", "-G", "-p", "-i", _assertion_parameters(desk, "protect"))
    run(*asserting, desk.device, fails=True)
    _assert(desk, "protect", "-v")


def _parameters(desk: Desk, name: str) -> str:
    return desk.file(f"{name}.par", bytes(32), RP_ID, "joe", name.encode())


def _register(desk: Desk, name: str, *options: str, kind: str = "es256") -> None:
    made, public = desk.path(f"{name}.cred"), desk.path(f"{name}.pub")
    flags = ("-i", _parameters(desk, name), "-o", made, desk.device, kind)
    talk("fido2-cred", "-M", *options, *flags, answers={"PIN.*: ": PIN})
    # what was asked of the key is what the verification demands; -r and -u are not among it
    demanded = [each for each in options if each not in ("-r", "-u")]
    run("fido2-cred", "-V", *demanded, "-i", made, "-o", public, kind)


def _assertion_parameters(desk: Desk, name: str, salt: bytes | None = None) -> str:
    identifier = base64.b64decode(desk.lines(f"{name}.cred")[4])
    salts = () if salt is None else (salt,)
    digest = hashlib.sha256(b"client data").digest()
    return desk.file(f"{name}.in", digest, RP_ID, identifier, *salts)


def _assert(
    desk: Desk, name: str, *options: str, kind: str = "es256", salt: bytes | None = None
) -> None:
    asserted = desk.path(f"{name}.assert")
    flags = ("-i", _assertion_parameters(desk, name, salt), "-o", asserted, desk.device)
    talk("fido2-assert", "-G", "-p", *options, *flags, answers={"PIN.*: ": PIN})
    demanded = [each for each in options if each in ("-h", "-v")]
    run("fido2-assert", "-V", "-p", *demanded, "-i", asserted, desk.path(f"{name}.pub"), kind)


# OpenSSH


def check_ssh_ed25519(desk: Desk) -> None:
    _new_ssh_key(desk, "ed25519-sk")


def check_ssh_ecdsa(desk: Desk) -> None:
    _new_ssh_key(desk, "ecdsa-sk")


def check_ssh_login(desk: Desk) -> None:
    """A login over sshd's own protocol, with a key that a touch is needed for."""
    private = _new_ssh_key(desk, "ed25519-sk", "login")
    demand("logged in" in _login(desk, private), "another answer")


def check_ssh_login_verified(desk: Desk) -> None:
    """The server wants the PIN, too."""
    private = _new_ssh_key(desk, "ed25519-sk", "verified", "-O", "verify-required")
    demand("logged in" in _login(desk, private, "verify-required "), "another answer")


def check_ssh_resident(desk: Desk) -> None:
    """Kept on the key, and downloaded by -K to another computer."""
    application = ("-O", "resident", "-O", "application=ssh:desk")
    private = _new_ssh_key(desk, "ed25519-sk", "kept", *application)
    elsewhere = desk.folder / "elsewhere"
    elsewhere.mkdir()
    # -K writes into the current folder
    command = f"cd '{elsewhere}' && exec ssh-keygen -K -N ''"
    talk("sh", "-c", command, answers={"PIN.*: ": PIN, "touch.*": ""})
    found = list(elsewhere.glob("*.pub"))
    demand(len(found) == 1, "downloaded", found)
    [downloaded] = found
    kept = Path(f"{private}.pub").read_text().split()[:2]
    demand(downloaded.read_text().split()[:2] == kept, "another key")
    demand("logged in" in _login(desk, str(downloaded.with_suffix(""))), "another answer")


def _new_ssh_key(desk: Desk, kind: str, name: str | None = None, *options: str) -> str:
    private = desk.path(f"id_{name or kind}")
    command = ("ssh-keygen", "-t", kind, "-f", private, "-N", "", *options)
    talk(*command, answers={"PIN for authenticator: ": PIN})
    public = Path(f"{private}.pub").read_text()
    demand(public.startswith(f"sk-{'ssh' if 'ed' in kind else 'ecdsa'}-"), public)
    return private


def _login(desk: Desk, private: str, options: str = "") -> str:
    host_key = desk.folder / "host_key"
    if not host_key.exists():
        run("ssh-keygen", "-t", "ed25519", "-N", "", "-f", str(host_key))
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    authorized = desk.file("authorized_keys", options + Path(f"{private}.pub").read_text().strip())
    configuration = desk.file(
        "sshd_config",
        f"HostKey {host_key}",
        f"AuthorizedKeysFile {authorized}",
        "AuthenticationMethods publickey",
        "PermitRootLogin yes",
        "StrictModes no",
        "UsePAM no",
    )
    known = desk.file("known_hosts", f"desk {Path(f'{host_key}.pub').read_text().strip()}")
    command = [find("ssh") or "ssh", "-F", "none", "-i", private, "-l", getpass.getuser()]
    for option in (
        f"ProxyCommand={find('sshd')} -i -e -f {configuration}",  # sshd on a pipe, not a port
        f"UserKnownHostsFile={known}",
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "PreferredAuthentications=publickey",
        "LogLevel=ERROR",
    ):
        command += ["-o", option]
    if options:
        return talk(*command, "desk", "echo logged in", answers={"PIN.*: ": PIN})
    return run(*command, "desk", "echo logged in")


# python-fido2


def check_python_fido2(desk: Desk) -> None:
    from fido2.ctap2 import Ctap2
    from fido2.hid import CtapHidDevice

    [device] = [each for each in CtapHidDevice.list_devices() if _path(each) == desk.device]
    demand(device.ping(b"x" * 7609) == b"x" * 7609, "PING came back changed")
    ctap = Ctap2(device)
    made = ctap.make_credential(
        bytes(32),
        {"id": RP_ID, "name": "Example"},
        {"id": b"python", "name": "joe", "displayName": "Joe"},
        [{"type": "public-key", "alg": -7}],
    )
    identifier = made.auth_data.credential_data.credential_id
    allowed = [{"type": "public-key", "id": identifier}]
    signed = ctap.get_assertion(RP_ID, bytes(32), allowed)
    signed.verify(bytes(32), made.auth_data.credential_data.public_key)
    device.close()


def _path(device: object) -> str:
    return os.fsdecode(device.descriptor.path)  # type: ignore[attr-defined]


CHECKS: list[tuple[Callable[[Desk], None], tuple[str, ...]]] = [
    # with the programs each needs; the order matters: there is no PIN before set_pin
    (check_reset, ("fido2-token",)),
    (check_list, ("fido2-token",)),
    (check_info, ("fido2-token",)),
    (check_python_fido2, ()),
    (check_u2f, ("fido2-cred", "fido2-assert")),
    (check_plain, ("fido2-cred", "fido2-assert")),
    (check_eddsa, ("fido2-cred", "fido2-assert")),
    (check_hmac_secret, ("fido2-cred", "fido2-assert")),
    (check_pamu2fcfg, ("pamu2fcfg",)),
    (check_ssh_ed25519, ("ssh-keygen",)),
    (check_ssh_ecdsa, ("ssh-keygen",)),
    (check_ssh_login, ("ssh-keygen", "ssh", "sshd")),
    (check_set_pin, ("fido2-token",)),
    (check_change_pin, ("fido2-token",)),
    (check_with_pin, ("fido2-cred", "fido2-assert")),
    (check_wrong_pin, ("fido2-cred",)),
    (check_resident, ("fido2-cred", "fido2-assert")),
    (check_managed, ("fido2-token", "fido2-assert")),
    (check_cred_protect, ("fido2-cred", "fido2-assert")),
    (check_ssh_login_verified, ("ssh-keygen", "ssh", "sshd")),
    (check_ssh_resident, ("ssh-keygen", "ssh", "sshd")),
]
NAMES = [check.__name__.removeprefix("check_") for check, _ in CHECKS]


def missing_packages() -> list[str]:
    """Debian packages of the programs that are not there."""
    return sorted({package for program, package in PACKAGES.items() if find(program) is None})


def first_device() -> str:
    listed = run("fido2-token", "-L")
    demand(listed, "fido2-token -L lists no key")
    return min(line.partition(": ")[0] for line in listed.splitlines())


def run_checks(device: str | None = None) -> dict[str, str | None]:
    """Every check on ``device``, by default the first: None if it held, else why not."""
    results: dict[str, str | None] = {}
    with tempfile.TemporaryDirectory(prefix="clients-") as folder:
        desk = Desk(device or first_device(), Path(folder))
        for name, (check, programs) in zip(NAMES, CHECKS, strict=True):
            absent = sorted({PACKAGES[each] for each in programs if find(each) is None})
            if absent:
                results[name] = f"not installed: apt-get install {' '.join(absent)}"
                continue
            try:
                check(desk)
                results[name] = None
            except CheckError as error:
                results[name] = str(error)
            except Exception:  # noqa: BLE001 - one check must not hide the others
                results[name] = traceback.format_exc()
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description="Run real programs on a new security key.")
    parser.add_argument("device", nargs="?", help="such as /dev/hidraw0; by default the first")
    parser.add_argument("--out", help="write the JSON into this file in place of standard output")
    arguments = parser.parse_args()
    results = run_checks(arguments.device)
    text = json.dumps(results, indent=2) + "\n"
    if arguments.out:
        Path(arguments.out).write_text(text)
    else:
        sys.stdout.write(text)
    return int(any(results.values()))


if __name__ == "__main__":
    sys.exit(main())
