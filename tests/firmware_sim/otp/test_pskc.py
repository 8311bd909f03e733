"""PSKC seed files (RFC 6030), read back by python-pskc."""

import base64
import io
import stat
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pskc import PSKC
from pskc.exceptions import PSKCError

from firmware_sim.otp.hotp import ALGORITHMS
from firmware_sim.otp.seed_file import pskc_file, write_pskc
from firmware_sim.otp.token import TokenKind, TokenSpec

NAMESPACE = {"pskc": "urn:ietf:params:xml:ns:keyprov:pskc"}

token_specs = st.builds(
    TokenSpec,
    serial_number=st.text("ABCabc019_+=/:,.@-", min_size=9, max_size=40),
    seed=st.binary(min_size=16, max_size=80),
    kind=st.sampled_from(TokenKind),
    algorithm=st.sampled_from(ALGORITHMS),
    digits=st.integers(6, 8),
    period_s=st.sampled_from([30, 60]),
)
batches = st.lists(token_specs, min_size=1, max_size=4)
keys = st.one_of(*(st.binary(min_size=size, max_size=size) for size in (16, 24, 32)))

SPEC = TokenSpec("TKTEST00000001", b"12345678901234567890")


def read(file: bytes, key: bytes | None = None) -> Any:
    container = PSKC(io.BytesIO(file))
    container.encryption.key = key
    return container


@given(batches, st.none() | keys)
def test_python_pskc_reads_what_was_written(specs: list[TokenSpec], key: bytes | None) -> None:
    file = pskc_file(specs, key)
    assert file.count(b"<pskc:ValueMAC>") == (0 if key is None else len(specs))
    container = read(file, key)
    assert container.version == "1.0"
    assert len(container.keys) == len(specs)
    for spec, found in zip(specs, container.keys, strict=True):
        assert found.secret == spec.seed
        assert (found.id, found.serial) == (spec.serial_number, spec.serial_number)
        assert found.algorithm == f"urn:ietf:params:xml:ns:keyprov:pskc:{spec.kind.lower()}"
        assert found.algorithm_suite == f"HMAC-{spec.algorithm}"
        assert (found.response_encoding, found.response_length) == ("DECIMAL", spec.digits)
        assert found.policy.key_usage == ["OTP"]
        if spec.kind is TokenKind.TOTP:
            assert (found.time_interval, found.time_offset) == (spec.period_s, 0)
            assert found.counter is None
        else:
            assert (found.time_interval, found.time_offset) == (None, None)
            assert found.counter == 0


@given(batches, keys)
def test_an_encrypted_file_hides_its_secrets(specs: list[TokenSpec], key: bytes) -> None:
    file = pskc_file(specs, key)
    for secret in (key, *(spec.seed for spec in specs)):
        assert base64.b64encode(secret) not in file
        assert secret.hex().encode() not in file.lower()


@given(token_specs, keys)
def test_the_same_key_and_token_give_the_same_file(spec: TokenSpec, key: bytes) -> None:
    assert pskc_file([spec], key) == pskc_file([spec], key)


@given(st.binary(min_size=16, max_size=64), st.binary(min_size=16, max_size=64), keys)
def test_equal_cipher_texts_mean_equal_secrets(one: bytes, two: bytes, key: bytes) -> None:
    def cipher_value(seed: bytes) -> bytes:
        found = read(pskc_file([TokenSpec("TKTEST00000001", seed)], key), key).keys[0]
        cipher: bytes = found.__dict__["_secret"].cipher_value
        return cipher

    assert (cipher_value(one)[:16] == cipher_value(two)[:16]) == (one == two)


@given(keys, keys)
def test_another_key_reads_nothing(key: bytes, other: bytes) -> None:
    assume(key != other)
    container = read(pskc_file([SPEC], key), other)
    with pytest.raises(PSKCError):
        container.keys[0].check()


def test_a_changed_secret_fails_the_mac() -> None:
    key = bytes(16)
    file = pskc_file([SPEC], key)
    tree = ElementTree.fromstring(file)
    value = tree.find(".//pskc:Secret//{*}CipherValue", NAMESPACE)
    assert value is not None
    assert value.text is not None
    cipher = bytearray(base64.b64decode(value.text))
    cipher[0] ^= 1  # of the vector: the padding stays right
    damaged = file.replace(value.text.encode(), base64.b64encode(cipher))
    with pytest.raises(PSKCError, match="MAC"):
        read(damaged, key).keys[0].check()


def test_the_mac_has_a_key_of_its_own() -> None:
    """RFC 6030 section 6.2: the MAC key differs from the encryption key."""
    key = bytes(range(16))
    container = read(pskc_file([SPEC], key), key)
    assert len(container.mac.key) == 20
    assert not container.mac.key.startswith(key)


@pytest.mark.parametrize("size", [0, 1, 15, 17, 20, 33, 64])
def test_a_key_of_another_size_is_refused(tmp_path: Path, size: int) -> None:
    with pytest.raises(ValueError, match=f"16, 24 or 32 bytes, not {size}"):
        write_pskc([SPEC], tmp_path / "seeds.pskcxml", bytes(size))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", [None, bytes(32)])
def test_the_file_is_private_and_is_not_overwritten_unless_told(
    tmp_path: Path, key: bytes | None
) -> None:
    path = tmp_path / "seeds.pskcxml"
    write_pskc([SPEC], path, key)
    first = path.read_bytes()
    assert first == pskc_file([SPEC], key)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    other = TokenSpec("TKTEST00000002", bytes(20))
    with pytest.raises(FileExistsError):
        write_pskc([other], path, key)
    assert path.read_bytes() == first
    write_pskc([other], path, key, overwrite=True)
    assert path.read_bytes() == pskc_file([other], key)
