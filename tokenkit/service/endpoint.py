"""A service in a thread of this process, for tests."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tokenkit.errors import MissingExtraError
from tokenkit.service.app import service_app
from tokenkit.service.aws_environment import OTHER_CREDENTIALS, REGION, aws_environment
from tokenkit.service.http_server import listen, port_of, serving_in_thread
from tokenkit.service.phone import Phone
from tokenkit.service.root_account import prepare_root
from tokenkit.service.service import Service
from tokenkit.verifier import AccessKey, Verifier
from tokenkit.virtual import World

__all__ = ["OTHER_CREDENTIALS", "IamEndpoint", "own_default_session", "serving_endpoint"]


@dataclass(frozen=True)
class IamEndpoint:
    """Where IAM and STS are served, and root's access key."""

    url: str
    access_key: str
    secret_key: str = field(repr=False)
    service: Service = field(repr=False)
    control_token: str = field(repr=False)

    @property
    def verifier(self) -> Verifier:
        return self.service.verifier

    @property
    def environment(self) -> dict[str, str]:
        """What AWS's programs need to be told."""
        key = AccessKey(self.access_key, "root", True, 0.0, self.secret_key)
        return aws_environment(self.url, key)

    def phone(self, seed: str) -> Phone:
        """An authenticator app for a Base32StringSeed: ``.code()``, ``.two_codes()``."""
        return Phone(seed, self.service.clock)

    def client(self, service: str, **options: Any) -> Any:
        """boto3's client of "iam" or "sts", signing with root's key.

        ``options`` are those of ``boto3.client``, such as other keys. MissingExtraError.
        """
        try:
            import boto3
        except ModuleNotFoundError as error:
            raise MissingExtraError("a client of boto3", "test") from error
        given = {
            "region_name": REGION,
            "endpoint_url": self.url,
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
        }
        return boto3.client(service, **given | options)


@contextmanager
def serving_endpoint(world: World, verifier: Verifier) -> Iterator[IamEndpoint]:
    """Serve ``verifier`` on a port that is free, under the clock of ``world``."""
    service = Service(verifier, world)
    entropy = world.child_entropy("service")
    key = prepare_root(verifier, entropy.bytes).access_key
    control_token = entropy.bytes(32).hex()
    with listen(0) as listener:
        url = f"http://localhost:{port_of(listener)}"
        with serving_in_thread(service_app(service, control_token), listener):
            yield IamEndpoint(url, key.id, key.secret, service, control_token)


@contextmanager
def own_default_session() -> Iterator[None]:
    """Let boto3 make its default session anew meanwhile: it reads keys from the environment once.

    boto3 is not imported for this; whoever does so meanwhile leaves no session behind.
    """
    before = getattr(sys.modules.get("boto3"), "DEFAULT_SESSION", None)
    _set_default_session(None)
    try:
        yield
    finally:
        _set_default_session(before)


def _set_default_session(session: Any) -> None:
    if (boto3 := sys.modules.get("boto3")) is not None:
        boto3.DEFAULT_SESSION = session  # type: ignore[attr-defined]  # of a module by its name
