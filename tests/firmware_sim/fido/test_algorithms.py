"""Every signature algorithm, checked by python-fido2's own keys."""

import dataclasses
import math
import subprocess
import sys
from functools import cache

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from fido2 import cbor as fido2_cbor
from fido2.attestation import PackedAttestation
from fido2.cose import CoseKey
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.fido import cbor
from firmware_sim.fido.algorithms import ALGORITHMS
from firmware_sim.fido.algorithms.rsa import is_prime
from firmware_sim.fido.credential import max_id_length
from firmware_sim.profiles import load_profile
from firmware_sim.world.entropy import OsEntropy, SeededEntropy

NUMBERS = sorted(ALGORITHMS)
RS256, PS256 = -257, -37
RSA = [RS256, PS256]  # seldom made, as it takes a third of a second
QUICK = [number for number in NUMBERS if number not in RSA]
ML_DSA_44, ML_DSA_87 = -48, -50
# whose signatures are random whatever the entropy
HEDGED = [PS256, -48, -49, -50]
needs_ml_dsa = pytest.mark.skipif(
    ML_DSA_87 not in ALGORITHMS,
    reason="no ML-DSA: pip install 'cryptography>=47', whose wheels have it",
)


def profile_of(*numbers, base="reference"):
    return dataclasses.replace(load_profile(base), algorithms=numbers)


def offer(*numbers):
    return [{"type": "public-key", "alg": number} for number in numbers]


@cache
def rsa_secret(seed):
    return ALGORITHMS[RS256].new(SeededEntropy(seed)).secret


def test_all_that_python_fido2_knows_are_there():
    assert set(CoseKey.supported_algorithms()) <= set(NUMBERS)


def check(kind, key, reproducible, message):
    encoded = key.cose_key()
    assert cbor.encode(cbor.decode(encoded)) == encoded
    public = CoseKey.parse(cbor.decode(encoded))
    assert public.ALGORITHM == key.algorithm == kind.algorithm
    assert len(key.secret) == kind.secret_length
    public.verify(message, key.sign(message))
    again = kind.load(key.secret, reproducible)
    assert (again.secret, again.cose_key()) == (key.secret, encoded)
    public.verify(message, again.sign(message))


@pytest.mark.parametrize("number", QUICK)
@settings(max_examples=15)
@given(seed=st.integers(), message=st.binary(max_size=200))
def test_a_signature_is_good_and_the_key_comes_back(number, seed, message):
    kind = ALGORITHMS[number]
    for entropy in (SeededEntropy(seed), OsEntropy()):
        check(kind, kind.new(entropy), entropy.reproducible, message)


@pytest.mark.parametrize("number", RSA)
@settings(max_examples=15)
@given(message=st.binary(max_size=200))
def test_the_same_of_rsa(number, message):
    kind = ALGORITHMS[number]
    check(kind, kind.load(rsa_secret(1), True), True, message)


@pytest.mark.parametrize("number", RSA)
def test_rsa_of_the_operating_systems_entropy(number):
    kind = ALGORITHMS[number]
    check(kind, kind.new(OsEntropy()), False, b"message")


@pytest.mark.parametrize("number", QUICK)
def test_the_same_seed_gives_the_same_key_and_signature(number):
    one, two = (ALGORITHMS[number].new(SeededEntropy(1)) for _ in range(2))
    assert one.secret == two.secret != ALGORITHMS[number].new(SeededEntropy(2)).secret
    assert number in HEDGED or one.sign(b"message") == two.sign(b"message")


def test_an_rsa_key_follows_from_the_seed():
    one, two = (ALGORITHMS[RS256].load(rsa_secret(1), True) for _ in range(2))
    assert one.sign(b"message") == two.sign(b"message")
    assert ALGORITHMS[PS256].new(SeededEntropy(1)).secret == rsa_secret(1) != rsa_secret(2)
    for seed in (1, 2):
        key = ALGORITHMS[RS256].load(rsa_secret(seed), True).private_key
        assert key.key_size == 2048
        key.private_numbers().private_key()  # which checks all of it


@settings(max_examples=15)
@given(message=st.binary(max_size=200))
def test_the_salt_of_ps256_is_as_long_as_the_digest(message):
    """RFC 8230 section 2; python-fido2 takes any length."""
    key = ALGORITHMS[PS256].load(rsa_secret(1), True)
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    public = key.private_key.public_key()
    public.verify(key.sign(message), message, scheme, hashes.SHA256())


@settings(max_examples=1000)
@given(st.integers(6, 5_000_000).map(lambda half: 2 * half + 1))
def test_primes_are_told_from_other_numbers(number):
    assert is_prime(number) == all(number % each for each in range(3, math.isqrt(number) + 1, 2))


@pytest.mark.parametrize("number", [561, 1105, 2047, 1373653, 25326001])
def test_pseudoprimes_are_no_primes(number):
    """Carmichael numbers, and strong pseudoprimes to the bases 2, 3 and 5."""
    assert not is_prime(number)


def test_large_numbers():
    assert is_prime((1 << 521) - 1)
    assert not is_prime(((1 << 521) - 1) * ((1 << 607) - 1))


def test_ml_dsa_is_left_out_where_it_cannot_be_had():
    script = """
import sys
sys.modules["cryptography.hazmat.primitives.asymmetric.mldsa"] = None
from firmware_sim.fido.algorithms import ALGORITHMS
assert sorted(ALGORITHMS) == [-257, -47, -37, -36, -35, -8, -7], sorted(ALGORITHMS)
"""
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("rk", [True, False])
def test_through_the_wire(make_bench, number, rk):
    bench = make_bench(profile_of(number))
    made = bench.make(key_params=offer(-65535, *NUMBERS), options={"rk": rk})
    public = made.auth_data.credential_data.public_key
    assert number == public.ALGORITHM
    bench.power_cycle()
    answer = bench.get(made)
    answer.verify(bench.client_data_hash, public)
    assert [each["alg"] for each in bench.ctap.get_info().algorithms] == [number]


def test_the_platforms_order_counts(make_bench):
    bench = make_bench()
    for wanted in (-8, -7):
        made = bench.make(key_params=offer(-65535, wanted, -7, -8))
        assert wanted == made.auth_data.credential_data.public_key.ALGORITHM


LARGEST_STATE = {"credProtect": 3, "hmac-secret": True, "thirdPartyPayment": True}


@pytest.mark.parametrize("number", NUMBERS)
def test_no_id_is_longer_than_get_info_says(make_bench, number):
    bench = make_bench(profile_of(number))
    limit = bench.ctap.get_info().max_cred_id_length
    lengths = [
        len(bench.make(**made).auth_data.credential_data.credential_id)
        for made in (
            {"key_params": offer(number), "extensions": LARGEST_STATE},
            {"key_params": offer(number), "options": {"rk": True}},
        )
    ]
    assert max(lengths) == max_id_length([number], LARGEST_STATE) <= limit


@needs_ml_dsa
@pytest.mark.parametrize("number", [number for number in NUMBERS if -50 <= number <= -48])
@pytest.mark.parametrize("base", ["reference", "self-attested"])
def test_ml_dsa_fits_into_a_message(make_bench, base, number):
    """Key, attestation and every extension's output, in the 7609 bytes that CTAPHID carries."""
    bench = make_bench(profile_of(number, base=base))
    request = {
        1: bench.client_data_hash,
        2: {"id": bench.rp_id},
        3: {"id": bytes(64)},
        4: offer(number),
        6: LARGEST_STATE | {"credBlob": bytes(32), "minPinLength": True},
    }
    response = bench.raw(b"\x01" + fido2_cbor.encode(request))
    assert response[0] == 0
    assert len(response) <= 7609
    made = bench.make(key_params=offer(number))
    PackedAttestation().verify(made.att_stmt, made.auth_data, bench.client_data_hash)
