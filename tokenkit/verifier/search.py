"""Where in a range of counters two codes follow each other.

In pure Python a million codes a second. With the extra ``fast``, and once :func:`warm` has run, in
compiled code, which finds the same some tens of times faster.
"""

import atexit
import threading
from collections.abc import Callable
from hmac import compare_digest
from typing import Any

from tokenkit.verifier.totp import CodeGenerator

_WORTH_IT = 32  # counters; below, pure Python is as fast
_AT_ONCE = 2**16  # counters, so that memory is bounded

_kernels: dict[str, Callable[..., Any]] = {}  # algorithm: kernel, as they become ready
_compiling = threading.Lock()
_ending = threading.Event()


def warm() -> bool:
    """Compile what searches fast, and return whether there is such a thing here.

    It takes some ten seconds the first time and a second from then on, from Numba's cache: in the
    package's folder, or the user's where that is read-only. So a server calls it in a thread, which
    may be a daemon; searches meanwhile are made in pure Python. False if Numba is not installed, or
    is switched off by NUMBA_DISABLE_JIT.
    """
    try:
        from numba import config
    except ImportError:
        return False
    if config.DISABLE_JIT:
        return False
    for algorithm in ("SHA1", "SHA256", "SHA512"):
        with _compiling:
            if _ending.is_set():
                return False
            from tokenkit.verifier.sha_lanes import compile_kernel

            _kernels[algorithm] = compile_kernel(algorithm)
    return True


@atexit.register
def _end() -> None:
    """Wait until nothing is compiled: LLVM crashes in a thread that goes on as the process ends."""
    _ending.set()
    _compiling.acquire()


def find_pairs(generator: CodeGenerator, code1: bytes, code2: bytes, counters: range) -> list[int]:
    """Every counter of ``counters``, but the last, that shows ``code1`` and the next ``code2``.

    ``counters`` go up by one. All are looked at, whatever is found, and codes compared in constant
    time. The codes are ``generator``'s digits.
    """
    kernel = _kernels.get(generator.algorithm)
    if kernel is not None and len(counters) >= _WORTH_IT:
        return _find_fast(kernel, generator, int(code1), int(code2), counters)
    codes = generator.codes(counters)
    return [
        counter
        for counter, one, two in zip(counters, codes, codes[1:], strict=False)
        if compare_digest(one, code1) & compare_digest(two, code2)
    ]


def _find_fast(
    kernel: Callable[..., Any], generator: CodeGenerator, code1: int, code2: int, counters: range
) -> list[int]:
    found: list[int] = []
    for begin in range(counters.start, counters.stop - 1, _AT_ONCE):
        count = min(_AT_ONCE, counters.stop - 1 - begin) + 1  # parts overlap: pairs lie across
        codes = kernel(generator.pads, begin, count, generator.modulus)
        [places] = ((codes[:-1] == code1) & (codes[1:] == code2)).nonzero()
        found += [begin + place for place in places.tolist()]
    return found


def find_code(generator: CodeGenerator, code: bytes, counters: range) -> list[int]:
    """Every counter of ``counters``, which go up by one, that shows ``code``: ``generator``'s
    digits. For logs, not for sign-in: codes are compared in no constant time.
    """
    kernel = _kernels.get(generator.algorithm)
    if kernel is None or len(counters) < _WORTH_IT:
        codes = generator.codes(counters)
        return [counter for counter, each in zip(counters, codes, strict=True) if each == code]
    found: list[int] = []
    for begin in range(counters.start, counters.stop, _AT_ONCE):
        count = min(_AT_ONCE, counters.stop - begin)
        [places] = (kernel(generator.pads, begin, count, generator.modulus) == int(code)).nonzero()
        found += [begin + place for place in places.tolist()]
    return found
