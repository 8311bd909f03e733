"""IAM and STS over HTTP: ListMFADevices beside moto's server, and sign-ins on both databases.

Requests are signed beforehand and sent by the same client. Ours checks signatures, moto none.
"""

import importlib.util
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import pyotp
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from benchmarks.http_load import send_all
from benchmarks.measure import Row
from tests import postgresql
from tokenkit.verifier import Verifier

LISTS, TURNS = 800, 4
LISTED_DEVICES = 2
LIST_GOAL = 3.0
USERS, DEVICES, SIGN_IN_TURNS = 60, 8, 3  # the present code of each device once
SIGN_IN_GOAL = 500
SEALING_KEY = bytes(32)
MOTO = Path(sys.prefix) / "peer-moto"  # where `make bench` puts it
DURABLE = "-c listen_addresses="  # else as PostgreSQL is: it waits for the disk


class Server(NamedTuple):
    address: tuple[str, int]
    key: Credentials  # root's
    now_s: float  # by its clock


class Phone(NamedTuple):
    user: str
    key: Credentials  # the user's
    serial_number: str
    totp: pyotp.TOTP


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        yield from _lists(f"sqlite:///{folder}/lists.db")
        one_s = _sign_in_cost(f"sqlite:///{folder}/sign-in.db")
    held = one_s <= 1 / SIGN_IN_GOAL
    what = "GetSessionToken with a code, SQLite in a file"
    yield Row("service", what, one_s, 1 / one_s, "per second", f"≥ {SIGN_IN_GOAL}", held)
    if missing := postgresql.what_is_missing():
        print(f"sign-ins on PostgreSQL are left out: {missing}", file=sys.stderr)
        return
    with postgresql.running(DURABLE) as cluster, cluster.database() as url:
        one_s = _sign_in_cost(url)
        yield Row("service", "the same, PostgreSQL", one_s, 1 / one_s, "per second")


def _lists(url: str) -> Iterator[Row]:
    user = {"UserName": _enrol(url, users=1, devices=LISTED_DEVICES)[0].user}
    with _ours(url) as ours, _moto() as moto:
        servers = {"ours": ours}
        if moto is not None:
            servers["moto"] = moto
            _fill(moto, user)
        best = dict.fromkeys(servers, float("inf"))
        for _ in range(TURNS):
            for name, server in servers.items():
                request = _signed(server, server.key, "iam", "ListMFADevices", user)
                best[name] = min(best[name], _cost(server, [request] * LISTS))
    what = f"ListMFADevices of {LISTED_DEVICES}, signature checked"
    if "moto" not in best:
        yield Row("service", what, best["ours"])
        return
    ratio = best["moto"] / best["ours"]
    yield Row("service", f"ListMFADevices of {LISTED_DEVICES}, moto's server", best["moto"])
    goal, held = f"≥ {LIST_GOAL:g}", ratio >= LIST_GOAL
    yield Row("service", what, best["ours"], ratio, "× moto", goal, held)


def _fill(moto: Server, user: dict[str, str]) -> None:
    """The same user, and as many devices."""
    asked = [("CreateUser", user)]
    for number in range(LISTED_DEVICES):
        name = f"phone-{number}"
        codes = {"AuthenticationCode1": "123456", "AuthenticationCode2": "123457"}
        serial_number = {"SerialNumber": f"arn:aws:iam::123456789012:mfa/{name}"}
        asked.append(("CreateVirtualMFADevice", {"VirtualMFADeviceName": name}))
        asked.append(("EnableMFADevice", {**user, **serial_number, **codes}))
    for operation, parameters in asked:
        _cost(moto, [_signed(moto, moto.key, "iam", operation, parameters)])


def _sign_in_cost(url: str) -> float:
    """The best turn of three, each with other phones; the clock stands still."""
    phones = _enrol(url, USERS, DEVICES)
    with _ours(url) as server:
        return min(
            _cost(
                server,
                [
                    _signed(
                        server,
                        phone.key,
                        "sts",
                        "GetSessionToken",
                        {
                            "SerialNumber": phone.serial_number,
                            "TokenCode": phone.totp.at(int(server.now_s)),
                        },
                    )
                    for phone in phones[turn::SIGN_IN_TURNS]
                ],
            )
            for turn in range(SIGN_IN_TURNS)
        )


def _enrol(url: str, users: int, devices: int) -> list[Phone]:
    """Users with apps that were enabled an hour ago, so that no present code is used."""
    then_s = time.time() - 3600
    phones = []
    with Verifier(url, now=lambda: then_s, sealing_key=SEALING_KEY) as verifier:
        for number in range(users):
            user = f"user-{number}"
            verifier.create_user(user)
            made = verifier.create_access_key(user)
            key = Credentials(made.id, made.secret)
            for place in range(devices):
                app = verifier.create_authenticator_app(f"phone-{number}-{place}")
                totp = pyotp.parse_uri(app.uri)
                assert isinstance(totp, pyotp.TOTP)
                codes = [totp.at(int(then_s), counter_offset=steps) for steps in (-1, 0)]
                verifier.enable(user, app.serial_number, *codes)
                phones.append(Phone(user, key, app.serial_number, totp))
    return phones


@contextmanager
def _ours(url: str) -> Iterator[Server]:
    """``tokenkit serve`` in a process of its own, with what :func:`_enrol` put into ``url``."""
    command = [sys.executable, "-m", "tokenkit", "serve", "--db", url, "--port", "0", "--json"]
    key = {"TOKENKIT_SEALING_KEY": SEALING_KEY.hex()}
    now_s = time.time() // 30 * 30 + 15  # nowhere near the end of a code
    start = datetime.fromtimestamp(now_s, UTC).isoformat()
    with _process([*command, "--clock", "simulated", "--start", start], key) as process:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline())
        told = facts["environment"]
        root = Credentials(told["AWS_ACCESS_KEY_ID"], told["AWS_SECRET_ACCESS_KEY"])
        port = int(facts["url"].rpartition(":")[2])
        yield Server(("127.0.0.1", port), root, now_s)


@contextmanager
def _moto() -> Iterator[Server | None]:
    if not MOTO.exists() and importlib.util.find_spec("moto") is None:
        print("moto is left out: make bench installs it", file=sys.stderr)
        yield None
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        address: tuple[str, int] = free.getsockname()
    command = [sys.executable, "-m", "moto.server", "-p", str(address[1])]
    with _process(command, {"PYTHONPATH": str(MOTO)}):
        for _ in range(200):
            with socket.socket() as probe:
                if not probe.connect_ex(address):
                    break
            time.sleep(0.1)
        yield Server(address, Credentials("AKIAIOSFODNN7EXAMPLE", "secret"), time.time())


@contextmanager
def _process(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _signed(
    server: Server, key: Credentials, service: str, operation: str, parameters: dict[str, str]
) -> bytes:
    """A whole HTTP request, signed by botocore."""
    version = {"iam": "2010-05-08", "sts": "2011-06-15"}[service]
    form = urlencode({"Action": operation, "Version": version, **parameters})
    host = f"127.0.0.1:{server.address[1]}"
    kind = "application/x-www-form-urlencoded; charset=utf-8"
    request = AWSRequest("POST", f"http://{host}/", {"Content-Type": kind}, form)
    SigV4Auth(key, service, "us-east-1").add_auth(request)
    headers = {"Host": host, "Content-Length": str(len(form)), **dict(request.headers)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST / HTTP/1.1\r\n{lines}\r\n{form}".encode()


def _cost(server: Server, requests: list[bytes]) -> float:
    """Seconds a request; all must succeed."""
    elapsed_s, failures = send_all(server.address, requests)
    if failures:
        raise RuntimeError(f"{len(failures)} of {len(requests)} failed: {failures[0]!r}")
    return elapsed_s / len(requests)
