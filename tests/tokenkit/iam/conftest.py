"""IAM and STS served on a free port, and boto3's own clients for them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import botocore.config
import pytest
import uvicorn

from tokenkit.iam.app import iam_app
from tokenkit.service import Service
from tokenkit.verifier import AccessKey, Verifier
from tokenkit.virtual import SimulatedClock, World

ROOT_KEY = "AKIAROOTROOTROOTROOT"
# one attempt: a test is told of every refusal
_ONCE = botocore.config.Config(retries={"total_max_attempts": 1}, region_name="us-east-1")


class Phone:
    """An authenticator app that was made through the API."""

    def __init__(self, site: "Site", serial_number: str, secret: str) -> None:
        import pyotp

        self.serial_number = serial_number
        self._site = site
        self._totp = pyotp.TOTP(secret)

    def code(self, steps: int = 0) -> str:
        return self._totp.at(int(self._site.now_s) + 30 * steps)

    def pair(self) -> dict[str, str]:
        """The previous and the current code, as Enable and Resync take them."""
        return {"AuthenticationCode1": self.code(-1), "AuthenticationCode2": self.code()}


class Site:
    """A served verifier, and clients with its root's access key or a user's."""

    def __init__(self, service: Service, url: str, root_key: AccessKey) -> None:
        self.service, self.url, self.root_key = service, url, root_key
        self.verifier = service.verifier

    @property
    def now_s(self) -> float:
        return self.service.clock.now()

    def wait(self, seconds: float) -> None:
        self.service.clock.advance(seconds)

    def client(self, name: str, key: Any = None, token: str | None = None) -> Any:
        """boto3's; ``key`` is an AccessKey, or credentials as STS hands them out."""
        key = self.root_key if key is None else key
        if isinstance(key, AccessKey):
            names = {"aws_access_key_id": key.id, "aws_secret_access_key": key.secret}
        else:
            names = {
                "aws_access_key_id": key["AccessKeyId"],
                "aws_secret_access_key": key["SecretAccessKey"],
                "aws_session_token": key["SessionToken"],
            }
        return boto3.client(name, endpoint_url=self.url, config=_ONCE, **names)

    def user(self, name: str = "ann", **policies: str) -> Any:
        """An IAM client of a new user."""
        self.verifier.create_user(name)
        for policy, document in policies.items():
            self.verifier.put_user_policy(name, policy, document)
        return self.client("iam", self.verifier.create_access_key(name))

    def new_phone(self, iam: Any, name: str = "phone") -> Phone:
        made = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]
        return Phone(self, made["SerialNumber"], made["Base32StringSeed"].decode())

    def phone(self, iam: Any, user: str, name: str = "phone") -> Phone:
        """A phone that is enabled, and shows a code that was not used."""
        phone = self.new_phone(iam, name)
        iam.enable_mfa_device(UserName=user, SerialNumber=phone.serial_number, **phone.pair())
        self.wait(30)
        return phone


@contextmanager
def served(app: Any) -> Iterator[str]:
    """The URL of an ASGI application on a free port."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    socket.listen()  # so that nobody comes too early
    thread = threading.Thread(target=server.run, args=([socket],), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        socket.close()


@pytest.fixture(scope="session")
def serve_site() -> Callable[..., Any]:
    @contextmanager
    def serve(**options: Any) -> Iterator[Site]:
        world = World(seed=1)
        assert isinstance(world.clock, SimulatedClock)
        random_bytes = world.child_entropy("verifier").bytes
        with Verifier(
            now=world.clock.now,
            random_bytes=random_bytes,
            sealing_key=bytes(32),
            **options,
        ) as verifier:
            service = Service(verifier, world)
            key = verifier.create_access_key("root", key_id=ROOT_KEY)
            with served(iam_app(service)) as url:
                yield Site(service, url, key)

    return serve


@pytest.fixture
def site(serve_site: Any) -> Iterator[Site]:
    with serve_site() as site:
        yield site


@pytest.fixture
def iam(site: Site) -> Any:
    """Root's IAM client."""
    return site.client("iam")
