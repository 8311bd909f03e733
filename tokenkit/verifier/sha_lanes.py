"""HMAC over ranges of counters, compiled by Numba: many counters side by side in vector registers.

Imported only by ``search.warm``, for it needs Numba and takes its time. The hash functions are
FIPS 180-4's. Their rounds are written straight into LLVM's code, without a loop, so that LLVM's
vectoriser takes the loop over counters, 16 at a time where the processor has AVX-512.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from llvmlite import ir
from numba import from_dtype, njit, typeof, types
from numba.core import cgutils
from numba.extending import intrinsic

Numbers: TypeAlias = np.ndarray[tuple[int], np.dtype[np.uint32]]
Kernel: TypeAlias = Callable[[tuple[bytes, bytes], int, int, int], Numbers]
_Values: TypeAlias = Sequence[Any]  # of LLVM

# Counters hashed before their digests are truncated: they stay in the processor's first cache, and
# two short loops are vectorised where one long one is not.
_BLOCK = 512
_COUNTERS = 2**64


def _cube_root(number: int) -> int:
    """Rounded down, by Newton's method from above."""
    root = 1 << -(-number.bit_length() // 3)
    while (better := (2 * root + number // root**2) // 3) < root:
        root = better
    return root


_PRIMES = [n for n in range(2, 410) if all(n % d for d in range(2, math.isqrt(n) + 1))]  # 80
_SHA512_ROUNDS = [_cube_root(prime << 192) % 2**64 for prime in _PRIMES]
_SHA512_START = [math.isqrt(prime << 128) % 2**64 for prime in _PRIMES[:8]]
_SHA256_ROUNDS = [constant >> 32 for constant in _SHA512_ROUNDS[:64]]
_SHA256_START = [constant >> 32 for constant in _SHA512_START]
_SHA1_ROUNDS = [math.isqrt(n << 60) for n in (2, 3, 5, 10)]
_SHA1_START = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0]


def _xor(llvm: ir.IRBuilder, first: Any, *others: Any) -> Any:
    for other in others:
        first = llvm.xor(first, other)
    return first


def _add(llvm: ir.IRBuilder, first: Any, *others: Any) -> Any:
    for other in others:
        first = llvm.add(first, other)
    return first


def _rotate(llvm: ir.IRBuilder, word: Any, right: int) -> Any:
    left = word.type.width - right
    return llvm.or_(llvm.lshr(word, word.type(right)), llvm.shl(word, word.type(left)))


def _choose(llvm: ir.IRBuilder, x: Any, y: Any, z: Any) -> Any:
    return llvm.xor(z, llvm.and_(x, llvm.xor(y, z)))


def _majority(llvm: ir.IRBuilder, x: Any, y: Any, z: Any) -> Any:
    return llvm.or_(llvm.and_(x, y), llvm.and_(z, llvm.or_(x, y)))


def _sha1(llvm: ir.IRBuilder, state: _Values, block: _Values) -> list[Any]:
    """FIPS 180-4 section 6.1.2."""
    w = list(block)
    a, b, c, d, e = state
    for t in range(80):
        if t >= 16:
            w.append(_rotate(llvm, _xor(llvm, w[t - 3], w[t - 8], w[t - 14], w[t - 16]), 31))
        mixed = (_choose, _xor, _majority, _xor)[t // 20](llvm, b, c, d)
        constant = a.type(_SHA1_ROUNDS[t // 20])
        new = _add(llvm, _rotate(llvm, a, 27), mixed, e, constant, w[t])
        a, b, c, d, e = new, a, _rotate(llvm, b, 2), c, d
    return [llvm.add(*pair) for pair in zip(state, (a, b, c, d, e), strict=True)]


def _sha2(llvm: ir.IRBuilder, state: _Values, block: _Values) -> list[Any]:
    """SHA-256 for words of 32 bits, SHA-512 for 64: sections 6.2.2 and 6.4.2, 4.1.2 and 4.1.3."""
    word = state[0].type
    if word.width == 32:
        rounds = _SHA256_ROUNDS
        big0, big1, small0, small1 = (2, 13, 22), (6, 11, 25), (7, 18, 3), (17, 19, 10)
    else:
        rounds = _SHA512_ROUNDS
        big0, big1, small0, small1 = (28, 34, 39), (14, 18, 41), (1, 8, 7), (19, 61, 6)

    def big(x: Any, by: tuple[int, int, int]) -> Any:
        return _xor(llvm, *(_rotate(llvm, x, right) for right in by))

    def small(x: Any, by: tuple[int, int, int]) -> Any:
        turned = [_rotate(llvm, x, right) for right in by[:2]]
        return _xor(llvm, *turned, llvm.lshr(x, word(by[2])))

    w = list(block)
    a, b, c, d, e, f, g, h = state
    for t, constant in enumerate(rounds):
        if t >= 16:
            w.append(
                _add(llvm, small(w[t - 2], small1), w[t - 7], small(w[t - 15], small0), w[t - 16])
            )
        t1 = _add(llvm, h, big(e, big1), _choose(llvm, e, f, g), word(constant), w[t])
        t2 = _add(llvm, big(a, big0), _majority(llvm, a, b, c))
        a, b, c, d, e, f, g, h = _add(llvm, t1, t2), a, b, c, _add(llvm, d, t1), e, f, g
    return [llvm.add(*pair) for pair in zip(state, (a, b, c, d, e, f, g, h), strict=True)]


def _compress(llvm: ir.IRBuilder, state: _Values, block: _Values) -> list[Any]:
    return (_sha1 if len(state) == 5 else _sha2)(llvm, state, block)


def _halves(llvm: ir.IRBuilder, number: Any) -> list[Any]:
    """A number of 64 bits as two of 32, the higher first."""
    half = ir.IntType(32)
    return [llvm.trunc(llvm.lshr(number, number.type(32)), half), llvm.trunc(number, half)]


def _last_block(message: _Values) -> list[Any]:
    """Section 5.1: ``message`` after one whole block, that of the key, is padded."""
    word = message[0].type
    bits = (16 + len(message)) * word.width
    zeros = [word(0)] * (14 - len(message))
    return [*message, word(1 << (word.width - 1)), *zeros, word(bits)]


def _absorb_type(_: Any, start: Any, pad: Any) -> Any:
    """The state after ``start`` has taken in the block ``pad``."""

    def generate(context: Any, llvm: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(pad)(context, llvm, arguments[1]).data
        block = [llvm.load(llvm.gep(data, [ir.IntType(64)(n)])) for n in range(16)]
        state = _compress(llvm, cgutils.unpack_tuple(llvm, arguments[0]), block)
        return context.make_tuple(llvm, signature.return_type, state)

    return start(start, pad), generate


def _hmac_type(_: Any, inner: Any, outer: Any, counter: Any) -> Any:
    """The first five words and the last one of the MAC, in words of 32 bits: RFC 2104."""

    def generate(context: Any, llvm: Any, signature: Any, arguments: Any) -> Any:
        states = [cgutils.unpack_tuple(llvm, argument) for argument in arguments[:2]]
        number, wide = arguments[2], inner.dtype.bitwidth == 64
        if not wide:
            # LLVM's own choice for many processors with AVX-512 is 256 bits, and a third slower;
            # for words of 64 it is right. llvmlite knows no such attribute.
            set.add(llvm.function.attributes, '"prefer-vector-width"="512"')
        message = [number] if wide else _halves(llvm, number)
        digest = _compress(llvm, states[0], _last_block(message))
        mac = _compress(llvm, states[1], _last_block(digest))
        if wide:
            mac = [half for word in mac for half in _halves(llvm, word)]
        return context.make_tuple(llvm, signature.return_type, [*mac[:5], mac[-1]])

    return types.UniTuple(types.uint32, 6)(inner, outer, counter), generate


_absorb = intrinsic(_absorb_type)
_hmac = intrinsic(_hmac_type)


def _fill(
    start: Any, inner_pad: Any, outer_pad: Any, first: Any, modulus: Any, numbers: Any
) -> None:
    """The codes from counter ``first`` on; what ``start`` is says which hash function it is."""
    inner, outer = _absorb(start, inner_pad), _absorb(start, outer_pad)
    divisor = float(modulus)
    words = np.empty((6, _BLOCK), np.uint32)
    w0, w1, w2, w3, w4, last = words[0], words[1], words[2], words[3], words[4], words[5]
    for begin in range(0, numbers.size, _BLOCK):
        for lane in range(_BLOCK):
            counter = first + np.uint64(begin + lane)
            w0[lane], w1[lane], w2[lane], w3[lane], w4[lane], last[lane] = _hmac(
                inner, outer, counter
            )
        for lane in range(min(_BLOCK, numbers.size - begin)):
            # RFC 4226 section 5.3: four bytes at the offset that the last four bits say.
            offset = last[lane] & np.uint32(15)
            high, low = w0[lane], w1[lane]
            if offset >= 12:
                high, low = w3[lane], w4[lane]
            elif offset >= 8:
                high, low = w2[lane], w3[lane]
            elif offset >= 4:
                high, low = w1[lane], w2[lane]
            bits = (offset & np.uint32(3)) * np.uint32(8)
            both = (np.uint64(high) << np.uint64(32)) | np.uint64(low)
            number = np.uint32(both >> (np.uint64(32) - np.uint64(bits)))
            number &= np.uint32(0x7FFF_FFFF)
            # Exact: 53 bits are enough for 31 over 31. A division of integers is not vectorised.
            quotient = np.uint32(number / divisor)
            numbers[begin + lane] = number - quotient * modulus


_compiled = njit(nogil=True, error_model="numpy")(_fill)
with suppress(RuntimeError):  # neither the package's folder nor the user's can be written to
    _compiled.enable_caching()
_STARTS: dict[str, tuple[Any, ...]] = {
    "SHA1": tuple(map(np.uint32, _SHA1_START)),
    "SHA256": tuple(map(np.uint32, _SHA256_START)),
    "SHA512": tuple(map(np.uint64, _SHA512_START)),
}


def compile_kernel(algorithm: str) -> Kernel:
    """The kernel for SHA1, SHA256 or SHA512, from Numba's cache on disk where it is there.

    It takes a key's inner and outer pads, one block each, the first counter, how many, and the
    modulus; and returns the codes as numbers. It lets go of the interpreter's lock meanwhile.
    """
    start = _STARTS[algorithm]
    pad = from_dtype(start[0].dtype)[::1]
    rest = (pad, pad, types.uint64, types.uint32, types.uint32[::1])
    _compiled.compile(types.void(typeof(start), *rest))
    return partial(_codes, start)


def _codes(
    start: tuple[Any, ...],
    pads: tuple[bytes, bytes],
    first: int,
    count: int,
    modulus: int,
) -> Numbers:
    word = start[0].dtype
    numbers = np.empty(count, np.uint32)
    blocks = [np.frombuffer(pad, word.newbyteorder(">")).astype(word) for pad in pads]
    divisor = np.uint32(min(modulus, 2**31))  # which the numbers are below
    _compiled(start, *blocks, np.uint64(first % _COUNTERS), divisor, numbers)
    return numbers
