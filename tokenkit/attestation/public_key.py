"""Whether an attestation is of the credential's own key."""

from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fido2.cose import CoseKey

from tokenkit.attestation.statement import demand

_CURVES = {1: "secp256r1", 2: "secp384r1", 3: "secp521r1", 8: "secp256k1"}


def check_same_key(key: Any, credential: Mapping[int, Any]) -> None:
    """InvalidData unless ``key`` (of cryptography) is the credential's (COSE).

    python-fido2's conversion does not look at the curve, so that is compared here.
    """
    cose = CoseKey.parse(credential)
    if isinstance(key, ec.EllipticCurvePublicKey):
        demand(_CURVES.get(cose.get(-1, 0)) == key.curve.name, "its key is on another curve")
    elif isinstance(key, rsa.RSAPublicKey):
        demand(cose.get(1) == 3, "its key is not the credential's")
    demand(type(cose).from_cryptography_key(key) == cose, "its key is not the credential's")
