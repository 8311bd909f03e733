"""previewSign: signs whatever the relying party gives, by a key beside the credential's.

After version 4 of the draft "Web Authentication sign extension" (2025-08-26), §10.2.1; the
algorithm numbers of ARKG are draft-bradleylundberg-cfrg-arkg-10's placeholders.

The signing key follows from the credential's private key, the algorithm and the flags, and its
handle is the latter two under a MAC (§10.2.1.1): nothing is stored, and a handle is good with its
own credential only.
"""

import hmac
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from firmware_sim.fido import arkg, auth_data, cbor
from firmware_sim.fido.algorithms.ecdsa import Esp256Key
from firmware_sim.fido.credential import Credential, hash_of
from firmware_sim.fido.extension import Assertion, Extension, Registration
from firmware_sim.fido.request import Map, of_type, optional, required
from firmware_sim.fido.status import CtapStatusError, Status
from firmware_sim.world.entropy import SeededEntropy

IDENTIFIER = "previewSign"
_ESP256, _ESP256_SPLIT_ARKG = Esp256Key.algorithm, -65539
# map keys of inputs and outputs; 7 is additional arguments in, an attestation object out
_KEY_HANDLE, _ALGORITHM, _FLAGS, _DATA, _ARGUMENTS = 2, 3, 4, 6, 7
_SIGNATURE, _ATTESTATION_OBJECT = 6, 7
# COSE_Sign_Args' for ARKG
_ARKG_HANDLE, _ARKG_CONTEXT = -1, -2
_UNSIGNED_OUTPUTS = 6  # of authenticatorMakeCredential's response (CTAP 2.2)
# what an assertion must have for the key to sign: nothing, presence, presence and verification
_POLICIES = (0, auth_data.UP, auth_data.UP | auth_data.UV)
_TAG = 32
_DIGEST = 32
# above this a credential's public key and its self attestation leave no room for another one
_MAX_SELF_ATTESTED = 2048


def _register(registration: Registration, value: object) -> Map:
    """UNSUPPORTED_ALGORITHM if there is none to choose, INVALID_OPTION for unknown flags."""
    members = of_type(value, dict)
    wanted = [of_type(number, int) for number in required(members, _ALGORITHM, list)]
    algorithm = next((each for each in wanted if each in (_ESP256, _ESP256_SPLIT_ARKG)), None)
    flags = optional(members, _FLAGS, int)
    if flags is None:
        flags = auth_data.UP
    if algorithm is None or not _fits(registration):
        raise CtapStatusError(Status.UNSUPPORTED_ALGORITHM)
    if flags not in _POLICIES:
        raise CtapStatusError(Status.INVALID_OPTION)
    secret, parameters = registration.key.secret, cbor.encode([algorithm, flags])
    handle = _tag(secret, parameters, hash_of(registration.rp_id)) + parameters
    key = _signing_key(secret, parameters, registration.authenticator.entropy.reproducible)
    attested = _attest(registration, handle, key, flags)
    unsigned = registration.members.setdefault(_UNSIGNED_OUTPUTS, {})
    unsigned[IDENTIFIER] = {_ATTESTATION_OBJECT: attested}
    return {_ALGORITHM: algorithm}


def _sign(assertion: Assertion, value: object) -> Map:
    """INVALID_OPTION without a list of credentials, a handle or data.

    INVALID_CREDENTIAL for foreign handles and arguments for another algorithm; MISSING_PARAMETER
    without arguments that are needed; UP_REQUIRED and PUAT_REQUIRED; INVALID_LENGTH for data that
    is no digest where one is to be signed.
    """
    members = of_type(value, dict)
    handle, data = optional(members, _KEY_HANDLE, bytes), optional(members, _DATA, bytes)
    if not assertion.listed or handle is None or data is None:
        raise CtapStatusError(Status.INVALID_OPTION)
    secret, tag, parameters = assertion.credential.key.secret, handle[:_TAG], handle[_TAG:]
    if not hmac.compare_digest(tag, _tag(secret, parameters, assertion.credential.rp_id_hash)):
        raise CtapStatusError(Status.INVALID_CREDENTIAL)
    algorithm, flags = cbor.decode(parameters)
    arguments = _arguments(members, algorithm)
    if flags & auth_data.UP and not assertion.present:
        raise CtapStatusError(Status.UP_REQUIRED)
    if flags & auth_data.UV and not assertion.verified:
        raise CtapStatusError(Status.PUAT_REQUIRED)
    reproducible = assertion.authenticator.entropy.reproducible
    key = _signing_key(secret, parameters, reproducible)
    if isinstance(key, arkg.Seed):
        return {_SIGNATURE: _sign_derived(key, arguments, data, reproducible)}
    return {_SIGNATURE: key.sign(data)}


def _fits(registration: Registration) -> bool:
    """Whether two attestation objects go into one message."""
    basic = registration.authenticator.profile.attestation != "self"
    return basic or len(registration.key.cose_key()) <= _MAX_SELF_ATTESTED


def _tag(secret: bytes, parameters: bytes, rp_id_hash: bytes) -> bytes:
    return hmac.digest(secret, parameters + IDENTIFIER.encode() + rp_id_hash, "sha256")


def _signing_key(secret: bytes, parameters: bytes, reproducible: bool) -> Esp256Key | arkg.Seed:
    stream = SeededEntropy(hmac.digest(secret, IDENTIFIER.encode() + parameters, "sha256"))
    if cbor.decode(parameters)[0] == _ESP256:
        return Esp256Key(Esp256Key.new(stream).private_key, reproducible)
    return arkg.Seed.new(stream)


def _attest(
    registration: Registration, handle: bytes, key: Esp256Key | arkg.Seed, flags: int
) -> bytes:
    """The attestation object of the signing key, whose credential id is its handle."""
    authenticator = registration.authenticator
    profile = authenticator.profile
    signer = key.blinding if isinstance(key, arkg.Seed) else key
    attested = Credential(handle, hash_of(registration.rp_id), signer)
    data = auth_data.attested_data(
        attested,
        profile.aaguid,
        auth_data.UP | (auth_data.UV if registration.verified else 0),
        0,
        {IDENTIFIER: {_FLAGS: flags}},
        key.cose_key(),
    )
    attestation = authenticator.attestation
    name = attestation.choose(registration.formats, signer.algorithm, enterprise=False)
    if isinstance(key, arkg.Seed) and profile.attestation == "self":  # a seed does not sign
        name = "none"
    client_data_hash = registration.client_data_hash
    statement = attestation.statement(name, attested, data, client_data_hash, enterprise=False)
    return cbor.encode({1: name, 2: data, 3: statement})


def _arguments(members: Map, algorithm: int) -> Map:
    """COSE_Sign_Args (draft-ietf-cose-split-signing-algs), which must be for ``algorithm``."""
    encoded = optional(members, _ARGUMENTS, bytes)
    if encoded is None:
        if algorithm == _ESP256_SPLIT_ARKG:
            raise CtapStatusError(Status.MISSING_PARAMETER)
        return {}
    try:
        decoded: Any = cbor.decode(encoded)
    except cbor.CborError:
        raise CtapStatusError(Status.INVALID_CBOR) from None
    arguments = of_type(decoded, dict)
    if optional(arguments, _ALGORITHM, int) != algorithm:
        raise CtapStatusError(Status.INVALID_CREDENTIAL)
    return arguments


def _sign_derived(seed: arkg.Seed, arguments: Map, digest: bytes, reproducible: bool) -> bytes:
    """ESP256-split by the key that the arguments derive: the platform did the hashing."""
    handle = required(arguments, _ARKG_HANDLE, bytes)
    context = required(arguments, _ARKG_CONTEXT, bytes)
    if len(digest) != _DIGEST:
        raise CtapStatusError(Status.INVALID_LENGTH)
    try:
        key = seed.derive(handle, context)
    except ValueError:
        raise CtapStatusError(Status.INVALID_CREDENTIAL) from None
    scheme = ec.ECDSA(Prehashed(hashes.SHA256()), deterministic_signing=reproducible)
    return key.sign(digest, scheme)


EXTENSION = Extension(IDENTIFIER, register=_register, sign=_sign)
