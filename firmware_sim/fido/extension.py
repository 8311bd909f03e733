"""What an extension module exports, and the ceremonies that it takes part in (CTAP 2.1 §12)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from firmware_sim.fido.algorithms import SigningKey
from firmware_sim.fido.credential import Credential
from firmware_sim.fido.request import Map

if TYPE_CHECKING:
    from firmware_sim.fido.authenticator import Authenticator


@dataclass(slots=True)
class Registration:
    """A makeCredential whose key is made: extensions give it a ``state`` that stays with it.

    ``verified`` is the UV flag; ``formats`` are the platform's preferred ones; ``inputs`` are all
    extensions' by identifier; ``members`` are added to the response.
    """

    authenticator: Authenticator
    client_data_hash: bytes
    rp_id: str
    rk: bool
    verified: bool
    formats: list[str]
    key: SigningKey
    inputs: Map
    state: Map = field(default_factory=dict)
    members: Map = field(default_factory=dict)


@dataclass(slots=True)
class Assertion:
    """One assertion by ``credential``; ``present`` and ``verified`` are the UP and UV flags.

    ``listed``: the request names the credential by its id.
    """

    authenticator: Authenticator
    credential: Credential
    listed: bool
    present: bool
    verified: bool
    inputs: Map
    members: Map = field(default_factory=dict)


Register = Callable[[Registration, Any], Any]
Sign = Callable[[Assertion, Any], Any]


@dataclass(frozen=True)
class Extension:
    """One extension: what it does with its input, and what it adds to getInfo.

    ``register`` and ``sign`` are called where there is an input; what they return, unless None,
    is the output in authenticator data. ``server_side_state`` is the largest value that it leaves
    with a server-side credential, whose id it makes longer; None for none.
    """

    identifier: str
    register: Register | None = None
    sign: Sign | None = None
    info: Callable[[Authenticator], Map] | None = None
    server_side_state: int | bool | None = None


def register(registration: Registration) -> Map:
    """The outputs of a registration (§6.1.2 step 15)."""
    return _outputs(registration, lambda extension: extension.register)


def sign(assertion: Assertion) -> Map:
    """The outputs of an assertion (§6.2.2 step 10)."""
    return _outputs(assertion, lambda extension: extension.sign)


def _outputs(
    ceremony: Registration | Assertion,
    part: Callable[[Extension], Callable[[Any, Any], Any] | None],
) -> Map:
    """Unknown extensions are ignored, and so are those without a part in this ceremony."""
    extensions = ceremony.authenticator.extensions
    outputs = {}
    for identifier, value in ceremony.inputs.items():
        extension = extensions.get(identifier)
        run = None if extension is None else part(extension)
        output = None if run is None else run(ceremony, value)
        if output is not None:
            outputs[identifier] = output
    return outputs
