"""What is compiled for fleets, and kept on disk: plain Python functions, by Numba.

>>> from tokenkit.fleet.compiled import compiled, shared
>>> @shared  # or shared(function) where it is another module's
... def half(x: float) -> float:
...     return 0.5 * x
>>> def quarter(x: float) -> float:
...     return half(half(x))
>>> compiled(quarter)(8.0)
2.0
"""

import hashlib
import inspect
import pickle
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any, TypeVar

from tokenkit.errors import MissingExtraError, TokenkitError

try:
    from numba import config, njit
    from numba.extending import register_jitable
except ImportError:
    raise MissingExtraError("a study of fleets", "fleet") from None
if config.DISABLE_JIT:
    raise TokenkitError("a study of fleets runs compiled code: unset NUMBA_DISABLE_JIT")

_Function = TypeVar("_Function", bound=Callable[..., Any])


def shared(function: _Function) -> _Function:
    """Let compiled code call ``function``, which stays the Python function that it is.

    It takes and returns numbers, tuples, records and arrays, and makes no arrays: so nobody counts
    references to them, which would cost more than a time step of a token.
    """
    if function not in _shared:
        _shared.add(register_jitable(_nrt=False)(function))
    return function


_shared: set[Callable[..., Any]] = set()


def compiled(function: _Function) -> _Function:
    """``function`` in machine code, compiled at its first call for arguments of these types.

    It lets go of the interpreter's lock. Compiled code is kept beside the source, or in the user's
    cache folder, or nowhere if neither can be written to. Numba makes it anew where the file of
    ``function`` has changed, or what its closure holds: that is the fingerprint of what goes in.
    """
    assert isinstance(function, FunctionType)
    code = function.__code__
    # the same function with one more variable of an enclosing one, which it does not use
    keyed = FunctionType(
        code.replace(co_freevars=(*code.co_freevars, "fingerprint")),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        (*(function.__closure__ or ()), CellType(fingerprint(function))),
    )
    keyed.__qualname__ = function.__qualname__
    kernel: Any = njit(nogil=True, error_model="numpy")(keyed)
    with suppress(RuntimeError):  # no folder can be written to
        kernel.enable_caching()
    return kernel  # type: ignore[no-any-return]


def fingerprint(function: Callable[..., Any]) -> str:
    """A hash of the source of ``function`` and of all that it uses, and of its constants."""
    found: dict[str, str] = {}
    todo: list[Any] = [function]
    while todo:
        part = todo.pop()
        name = f"{part.__module__}.{part.__qualname__}"
        if name in found:
            continue
        found[name] = _source(part)
        if not isinstance(part, FunctionType):
            continue
        variables = part.__globals__ | dict(inspect.getclosurevars(part).nonlocals)
        for used in sorted(set(_names(part.__code__)) & variables.keys()):
            value = variables[used]
            # an intrinsic's definition, a compiled function's source
            value = getattr(value, "_defn", getattr(value, "py_func", value))
            if isinstance(value, FunctionType | type):
                todo.append(value)
            elif not isinstance(value, ModuleType):
                found[f"{name}: {used}"] = pickle.dumps(value).hex()
    return hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()


@cache
def _source(part: Any) -> str:
    try:
        return inspect.getsource(part)
    except TypeError:  # a class of C
        return repr(part)


def _names(code: CodeType) -> Iterator[str]:
    """Global and free names in ``code`` and in the functions within it."""
    yield from code.co_names
    yield from code.co_freevars
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
