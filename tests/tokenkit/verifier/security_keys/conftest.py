"""A person with virtual keys at a web page, through python-fido2's client."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from fido2 import cbor
from fido2.client import DefaultClientDataCollector, Fido2Client, UserInteraction
from fido2.ctap2 import ClientPin, Ctap2
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import CollectedClientData

from tokenkit.verifier import Ceremony, Device, SignIn, WebAuthnPolicy
from tokenkit.virtual import SecurityKey, World, connect

ORIGIN = "https://tokenkit.example"
PIN = "1234"
# python-fido2's client makes no use of a key without a PIN where one is preferred
NO_PIN = WebAuthnPolicy(user_verification="discouraged")


class User(UserInteraction):
    def prompt_up(self) -> None:
        pass

    def request_pin(self, permissions: Any, rp_id: str | None) -> str:
        return PIN


class Site:
    """A bench, and a person with security keys at its web page."""

    def __init__(self, bench: Any) -> None:
        self.bench, self.verifier = bench, bench.verifier
        self.world = World(seed=1)

    def key(self, profile: str = "reference", pin: bool = False, **options: Any) -> SecurityKey:
        key = self.world.security_key(profile, **options)
        if pin:
            ClientPin(Ctap2(connect(key))).set_pin(PIN)
        return key

    def client(self, key: SecurityKey, origin: str = ORIGIN) -> Fido2Client:
        """A browser that shows a page of ``origin``, which may use any rp_id."""
        collector = DefaultClientDataCollector(origin, verify=lambda rp_id, origin: True)
        return Fido2Client(connect(key), client_data_collector=collector, user_interaction=User())

    def options(self, ceremony: Ceremony) -> dict[str, Any]:
        """What the page gets, as JSON."""
        return in_json(ceremony.options.public_key)

    def make(
        self, key: SecurityKey, options: Ceremony | dict[str, Any], origin: str = ORIGIN
    ) -> dict[str, Any]:
        """What ``JSON.stringify(navigator.credentials.create(options))`` gives."""
        options = self.options(options) if isinstance(options, Ceremony) else options
        return in_json(self.client(key, origin).make_credential(options))

    def get(
        self, key: SecurityKey, options: Ceremony | dict[str, Any], origin: str = ORIGIN
    ) -> dict[str, Any]:
        """What ``JSON.stringify(navigator.credentials.get(options))`` gives."""
        options = self.options(options) if isinstance(options, Ceremony) else options
        return in_json(self.client(key, origin).get_assertion(options).get_response(0))

    def register(
        self, key: SecurityKey, user: str = "root", *, name: str = "", **options: Any
    ) -> Device:
        ceremony = self.verifier.begin_registration(user, **options)
        device: Device = self.verifier.complete_registration(
            ceremony.id, self.make(key, ceremony), name=name
        )
        return device

    def sign_in(self, key: SecurityKey, user: str = "root", **options: Any) -> SignIn:
        ceremony = self.verifier.begin_assertion(user, **options)
        done: SignIn = self.verifier.complete_assertion(ceremony.id, self.get(key, ceremony))
        return done

    def set_challenge(self, made: dict[str, Any], ceremony: Ceremony) -> None:
        """Move a registration to another ceremony, which nothing but attestation forbids."""
        challenge = ceremony.options.public_key.challenge
        client_data = CollectedClientData.create("webauthn.create", challenge, ORIGIN)
        made["response"]["clientDataJSON"] = websafe_encode(client_data)

    def set_attestation(self, made: dict[str, Any], change: Callable[[Any], Any]) -> None:
        """Change the attestation object of a registration, a mapping."""
        attestation = cbor.decode(websafe_decode(made["response"]["attestationObject"]))
        made["response"]["attestationObject"] = websafe_encode(cbor.encode(change(attestation)))


def in_json(mapping: Mapping[str, Any]) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(json.dumps(dict(mapping)))
    return decoded


@pytest.fixture(scope="session")
def make_site(make_bench: Callable[..., Any]) -> Callable[..., Site]:
    return lambda webauthn=NO_PIN: Site(make_bench(webauthn=webauthn))


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    return make_site()
