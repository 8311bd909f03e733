"""The private half of ARKG-P256 against python-fido2's public half."""

import pytest
from cryptography.hazmat.primitives import hashes
from fido2.arkg import _HTF
from fido2.cose import ARKG_P256_PLACEHOLDER, ES256, CoseKey
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.fido import arkg, cbor
from firmware_sim.fido.algorithms import Es256Key
from firmware_sim.world.entropy import SeededEntropy

SEED = arkg.Seed.new(SeededEntropy(1))
PUBLIC = CoseKey.parse(cbor.decode(SEED.cose_key()))
ikms = st.binary(min_size=32, max_size=64)
contexts = st.binary(max_size=arkg.MAX_CONTEXT)


def public_of(private):
    return dict(ES256.from_cryptography_key(private.public_key()))


def test_the_public_seed():
    assert isinstance(PUBLIC, ARKG_P256_PLACEHOLDER)
    assert dict(PUBLIC.pk_bl) == cbor.decode(SEED.blinding.cose_key())
    assert PUBLIC.pk_kem[3] == -25
    assert (PUBLIC[1], PUBLIC[-3]) == (-65537, -9)
    encoded = SEED.cose_key()
    assert cbor.encode(cbor.decode(encoded)) == encoded


VECTORS = [
    (
        b"ARKG-P256.test vectors",
        "27987995f184a44cfa548d104b0a461d"
        "0487fc739dbcdabc293ac5469221da91b220e04c681074ec4692a76ffacb9043de"
        "c2847ea9060fd42da267f66852e63589f0c00dc88f290d660c65a65a50c86361",
        0x775D7FE9A6DFBA43CE671CB38AFCA3D272C4D14AFF97BD67559EB500A092E5E7,
    ),
    (
        b"ARKG-P256.test vectors",
        "b7507a82771776fbac41a18d94e19a7e"
        "0457fd1e438280c127dd55a6138d1baf0a35e3e9671f7e42d8345f47374afa8324"
        "7a078fa2196cd69497aed59ef92c05cb6b03d306ec24f2f4ff2db09cd95d1b11",
        0x6228E470290E9D7CC0FEFF32A74CAAFA14C608C956337EBA23997F5904CFF226,
    ),
    (
        b"ARKG-P256.test vectors.0",
        "81c4e65b552e52350b49864b98b87d51"
        "0487fc739dbcdabc293ac5469221da91b220e04c681074ec4692a76ffacb9043de"
        "c2847ea9060fd42da267f66852e63589f0c00dc88f290d660c65a65a50c86361",
        0x2A97F4232F9ABBA32FBFC28C6686F8AFD2D851C2A95A3ED2F0A384B9AD55068D,
    ),
]


@pytest.mark.parametrize(("context", "handle", "expected"), VECTORS)
def test_the_drafts_vectors(context, handle, expected):
    seed = arkg.Seed(
        *(
            Es256Key.load(bytes.fromhex(secret), True)
            for secret in (
                "d959500a78ccf850ce46c80a8c5043c9a2e33844232b3829df37d05b3069f455",
                "74e0a4cd81ca2d24246ff75bfd6d4fb7f9dfc938372627feb2c2348f8b1493b5",
            )
        )
    )
    derived = seed.derive(bytes.fromhex(handle), context)
    assert derived.private_numbers().private_value == expected


@given(seed=st.integers(), ikm=ikms, context=contexts)
def test_the_private_key_is_that_of_the_derived_public_key(seed, ikm, context):
    private_seed = arkg.Seed.new(SeededEntropy(seed))
    public_seed = CoseKey.parse(cbor.decode(private_seed.cose_key()))
    public, args = public_seed.derive_public_key(ikm, context)
    private = private_seed.derive(args[-1], args[-2])
    assert public_of(private) | {3: -9} == dict(public)


@given(ikm=ikms, context=contexts, at=st.integers(0, 80), flip=st.integers(1, 255))
def test_a_changed_handle_is_refused(ikm, context, at, flip):
    handle = bytearray(PUBLIC.derive_public_key(ikm, context)[1][-1])
    handle[at] ^= flip
    with pytest.raises(ValueError, match=r"."):  # OpenSSL's own where the point is none
        SEED.derive(bytes(handle), context)


@given(ikm=ikms, context=contexts, other=contexts)
def test_another_context_is_refused(ikm, context, other):
    handle = PUBLIC.derive_public_key(ikm, context)[1][-1]
    if other != context:
        with pytest.raises(ValueError, match="another seed or context"):
            SEED.derive(handle, other)


@given(ikm=ikms)
def test_another_seed_is_refused(ikm):
    handle = PUBLIC.derive_public_key(ikm, b"")[1][-1]
    with pytest.raises(ValueError, match="another seed or context"):
        arkg.Seed.new(SeededEntropy(2)).derive(handle, b"")


def test_other_lengths_are_refused():
    handle = PUBLIC.derive_public_key(bytes(32), b"")[1][-1]
    for wrong in (b"", handle[:-1], handle + b"\0"):
        with pytest.raises(ValueError, match="a handle has 81 bytes"):
            SEED.derive(wrong, b"")
    with pytest.raises(ValueError, match="at most 64 bytes"):
        SEED.derive(handle, bytes(65))


@given(message=st.binary(max_size=100), tag=st.binary(min_size=1, max_size=255))
def test_hash_to_field(message, tag):
    reference = _HTF(tag, Es256Key.order, 48, hashes.SHA256())
    assert arkg._scalar(message, tag) == reference.hash_to_field(message, 1)[0]
    for length in (1, 32, 48, 100):
        assert arkg._expand(message, tag, length) == reference.expand_message_xmd(message, length)
