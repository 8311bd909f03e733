"""RSA with 2048 bits: RS256 and PS256 (RFC 8812 section 2, RFC 8230 section 2)."""

import math
from typing import ClassVar, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from firmware_sim.fido import cbor
from firmware_sim.world.entropy import Entropy

_BITS = 2048
_EXPONENT = 65537
_PRIME_BYTES = _BITS // 16
# Both top bits, so that the product of two primes has all its bits, and the last.
_ALWAYS_SET = 3 << (8 * _PRIME_BYTES - 2) | 1
# Spares five of six candidates the costly test.
_SMALL_PRIMES = [n for n in range(3, 1000) if all(n % d for d in range(2, math.isqrt(n) + 1))]
_PRODUCT = math.prod(_SMALL_PRIMES)
# FIPS 186-5 table B.1 asks for 5 rounds. Candidates are drawn, not chosen by an adversary: fixed
# bases are as good as random ones.
_BASES = (2, 3, 5, 7, 11)


class RsaKey:
    """``secret`` is both primes, each of 128 bytes."""

    algorithm: ClassVar[int]
    scheme: ClassVar[padding.AsymmetricPadding]
    secret_length: ClassVar[int] = 2 * _PRIME_BYTES

    def __init__(self, p: int, q: int) -> None:
        self.secret = p.to_bytes(_PRIME_BYTES, "big") + q.to_bytes(_PRIME_BYTES, "big")
        self._modulus = p * q
        d = pow(_EXPONENT, -1, (p - 1) * (q - 1))
        numbers = rsa.RSAPrivateNumbers(
            p,
            q,
            d,
            rsa.rsa_crt_dmp1(d, p),
            rsa.rsa_crt_dmq1(d, q),
            rsa.rsa_crt_iqmp(p, q),
            rsa.RSAPublicNumbers(_EXPONENT, self._modulus),
        )
        # The check tests both primes again, at a hundred times the cost of all else here; a
        # secret comes from new() only, and what keeps it vouches for it.
        self.private_key = numbers.private_key(unsafe_skip_rsa_key_validation=True)

    @classmethod
    def load(cls, secret: bytes, reproducible: bool) -> Self:
        p, q = secret[:_PRIME_BYTES], secret[_PRIME_BYTES:]
        return cls(int.from_bytes(p, "big"), int.from_bytes(q, "big"))

    @classmethod
    def new(cls, entropy: Entropy) -> Self:
        if entropy.reproducible:
            return cls(_draw_prime(entropy), _draw_prime(entropy))
        # by OpenSSL's own generator, at a tenth of what drawing costs
        numbers = rsa.generate_private_key(_EXPONENT, _BITS).private_numbers()
        return cls(numbers.p, numbers.q)

    def sign(self, message: bytes) -> bytes:
        return self.private_key.sign(message, self.scheme, hashes.SHA256())

    def cose_key(self) -> bytes:
        modulus = self._modulus.to_bytes(_BITS // 8, "big")
        exponent = _EXPONENT.to_bytes(3, "big")
        return cbor.encode({1: 3, 3: self.algorithm, -1: modulus, -2: exponent})


class Rs256Key(RsaKey):
    algorithm = -257
    scheme = padding.PKCS1v15()


class Ps256Key(RsaKey):
    """The salt is random, and so is the signature even in a reproducible run."""

    algorithm = -37
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)


def _draw_prime(entropy: Entropy) -> int:
    """A prime of 1024 bits, of which the two highest are set, that goes with the exponent."""
    while True:
        drawn = int.from_bytes(entropy.bytes(_PRIME_BYTES), "big") | _ALWAYS_SET
        if math.gcd(drawn, _PRODUCT) == 1 and drawn % _EXPONENT != 1 and is_prime(drawn):
            return drawn


def is_prime(candidate: int) -> bool:
    """Miller-Rabin (FIPS 186-5 B.3.1) for odd numbers above 11."""
    even = candidate - 1
    twos = (even & -even).bit_length() - 1
    odd = even >> twos
    return all(_passes(candidate, pow(base, odd, candidate), twos) for base in _BASES)


def _passes(candidate: int, power: int, twos: int) -> bool:
    if power in (1, candidate - 1):
        return True
    for _ in range(twos - 1):
        power = power * power % candidate
        if power == candidate - 1:
            return True
    return False
