"""Every signature algorithm, checked by python-fido2's own keys."""

import dataclasses

import pytest
from fido2.cose import CoseKey
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.fido import cbor
from firmware_sim.fido.algorithms import ALGORITHMS
from firmware_sim.profiles import load_profile
from firmware_sim.world.entropy import OsEntropy, SeededEntropy

NUMBERS = sorted(ALGORITHMS)


def profile_of(*numbers, base="reference"):
    return dataclasses.replace(load_profile(base), algorithms=numbers)


def offer(*numbers):
    return [{"type": "public-key", "alg": number} for number in numbers]


@pytest.mark.parametrize("number", NUMBERS)
@settings(max_examples=15)
@given(seed=st.integers(), message=st.binary(max_size=200))
def test_a_signature_is_good_and_the_key_comes_back(number, seed, message):
    for entropy in (SeededEntropy(seed), OsEntropy()):
        key = ALGORITHMS[number].new(entropy)
        encoded = key.cose_key()
        public = CoseKey.parse(cbor.decode(encoded))
        assert public.ALGORITHM == key.algorithm == number
        public.verify(message, key.sign(message))
        again = ALGORITHMS[number].load(key.secret, entropy.reproducible)
        assert (again.secret, again.cose_key()) == (key.secret, encoded)
        public.verify(message, again.sign(message))


@pytest.mark.parametrize("number", NUMBERS)
def test_the_same_seed_gives_the_same_key_and_signature(number):
    one, two = (ALGORITHMS[number].new(SeededEntropy(1)) for _ in range(2))
    assert one.secret == two.secret != ALGORITHMS[number].new(SeededEntropy(2)).secret
    assert one.sign(b"message") == two.sign(b"message")


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("rk", [True, False])
def test_through_the_wire(make_bench, number, rk):
    profile = dataclasses.replace(load_profile("reference"), algorithms=(number,))
    bench = make_bench(profile)
    offered = [{"type": "public-key", "alg": each} for each in (-65535, *NUMBERS)]
    made = bench.make(key_params=offered, options={"rk": rk})
    public = made.auth_data.credential_data.public_key
    assert number == public.ALGORITHM
    bench.power_cycle()
    answer = bench.get(made)
    answer.verify(bench.client_data_hash, public)
    assert [each["alg"] for each in bench.ctap.get_info().algorithms] == [number]


def test_the_platforms_order_counts(make_bench):
    bench = make_bench()
    for wanted in (-8, -7):
        offered = [{"type": "public-key", "alg": each} for each in (-36, wanted, -7, -8)]
        made = bench.make(key_params=offered)
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
    assert max(lengths) <= limit
    assert limit == 96 + ALGORITHMS[number].secret_length


def test_the_longest_id_is_that_of_any_algorithm(make_bench):
    assert make_bench().ctap.get_info().max_cred_id_length == 128
    assert make_bench(profile_of(-7, -36)).ctap.get_info().max_cred_id_length == 162
