"""Gaussians at a counter, compiled: the same that ``firmware_sim.world.noise`` draws."""

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tokenkit.fleet.compiled import shared
from tokenkit.virtual import PHILOX_KEY_STEP, PHILOX_MULTIPLIER, PHILOX_ROUNDS

# No Gaussian drawn is farther out: the inverse of the distribution at 2^-53 is -8.21.
FARTHEST = 8.25

_MULTIPLIER = np.uint64(PHILOX_MULTIPLIER)
_KEY_STEP = np.uint64(PHILOX_KEY_STEP)
_UNUSED_BITS = np.uint64(12)

# M. J. Wichura, "Algorithm AS 241: The percentage points of the normal distribution", Applied
# Statistics 37 (1988), PPND16: coefficients of numerators and denominators, constant term first.
_CENTRE = (
    (
        3.3871328727963666080e0,
        1.3314166789178437745e2,
        1.9715909503065514427e3,
        1.3731693765509461125e4,
        4.5921953931549871457e4,
        6.7265770927008700853e4,
        3.3430575583588128105e4,
        2.5090809287301226727e3,
    ),
    (
        1.0,
        4.2313330701600911252e1,
        6.8718700749205790830e2,
        5.3941960214247511077e3,
        2.1213794301586595867e4,
        3.9307895800092710610e4,
        2.8729085735721942674e4,
        5.2264952788528545610e3,
    ),
)
_TAIL = (
    (
        1.42343711074968357734e0,
        4.63033784615654529590e0,
        5.76949722146069140550e0,
        3.64784832476320460504e0,
        1.27045825245236838258e0,
        2.41780725177450611770e-1,
        2.27238449892691845833e-2,
        7.74545014278341407640e-4,
    ),
    (
        1.0,
        2.05319162663775882187e0,
        1.67638483018380384940e0,
        6.89767334985100004550e-1,
        1.48103976427480074590e-1,
        1.51986665636164571966e-2,
        5.47593808499534494600e-4,
        1.05075007164441684324e-9,
    ),
)
_FAR_TAIL = (
    (
        6.65790464350110377720e0,
        5.46378491116411436990e0,
        1.78482653991729133580e0,
        2.96560571828504891230e-1,
        2.65321895265761230930e-2,
        1.24266094738807843860e-3,
        2.71155556874348757815e-5,
        2.01033439929228813265e-7,
    ),
    (
        1.0,
        5.99832206555887937690e-1,
        1.36929880922735805310e-1,
        1.48753612908506148525e-2,
        7.86869131145613259100e-4,
        1.84631831751005468180e-5,
        1.42151175831644588870e-7,
        2.04426310338993978564e-15,
    ),
)


def _multiply_type(_: Any, first: Any, second: Any) -> Any:
    """The product of two numbers of 64 bits: its upper 64 bits and its lower ones."""

    def generate(context: Any, llvm: Any, signature: Any, arguments: Any) -> Any:
        wide, word = ir.IntType(128), ir.IntType(64)
        product = llvm.mul(*(llvm.zext(argument, wide) for argument in arguments))
        upper = llvm.trunc(llvm.lshr(product, wide(64)), word)
        halves = [upper, llvm.trunc(product, word)]
        return context.make_tuple(llvm, signature.return_type, halves)

    return types.UniTuple(types.uint64, 2)(types.uint64, types.uint64), generate


_multiply = intrinsic(_multiply_type)


@shared
def philox2x64(low: Any, high: Any, key: Any) -> Any:
    """As ``firmware_sim.world.philox`` has it, of and with unsigned numbers of 64 bits."""
    for _ in range(PHILOX_ROUNDS):
        upper, lower = _multiply(_MULTIPLIER, low)
        low, high = upper ^ key ^ high, lower
        key += _KEY_STEP
    return low, high


@shared
def _polynomial(c: tuple[float, ...], x: float) -> float:
    upper = ((c[7] * x + c[6]) * x + c[5]) * x + c[4]
    return (((upper * x + c[3]) * x + c[2]) * x + c[1]) * x + c[0]


@shared
def inv_cdf(p: float) -> float:
    """The inverse of the standard normal distribution: step for step CPython's ``statistics``."""
    q = p - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        return _polynomial(_CENTRE[0], r) * q / _polynomial(_CENTRE[1], r)
    r = math.sqrt(-math.log(p if q <= 0.0 else 1.0 - p))
    if r <= 5.0:
        r -= 1.6
        x = _polynomial(_TAIL[0], r) / _polynomial(_TAIL[1], r)
    else:
        r -= 5.0
        x = _polynomial(_FAR_TAIL[0], r) / _polynomial(_FAR_TAIL[1], r)
    return -x if q < 0.0 else x


@shared
def gaussians(key: Any, span: int, node: int) -> tuple[float, float]:
    """The two of ``node`` in the tree of ``span``, in standard deviations."""
    first, second = philox2x64(np.uint64(node), np.uint64(span), key)
    return (
        inv_cdf((np.float64(first >> _UNUSED_BITS) + 0.5) * 2.0**-52),
        inv_cdf((np.float64(second >> _UNUSED_BITS) + 0.5) * 2.0**-52),
    )
