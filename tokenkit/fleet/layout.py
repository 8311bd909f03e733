"""How a study's tokens lie in memory, and what is counted of them: NumPy's structured types.

A partition of tokens is an array of ``TOKEN``; each token's stays, clock events and the server's
pieces are slices of arrays of their own. Kernels take records of these types.
"""

import numpy as np

# One token. Times in seconds since the Unix epoch; see firmware_sim.world.oscillator.Crystal.
TOKEN = np.dtype(
    [
        ("born_s", "f8"),  # true time at which the factory set the clock
        ("enrolled_s", "f8"),  # true time of the two codes that enable it
        ("period_s", "i8"),
        ("tolerance_ppm", "f8"),
        ("parabola_ppm_per_c2", "f8"),
        ("turnover_c", "f8"),
        ("ageing_ppm_first_year", "f8"),
        ("ageing_tau_s", "f8"),
        ("random_walk_adev_1day", "f8"),
        ("white_adev_1s", "f8"),
        ("noise_key", "u8"),  # of the first span
        ("person_key", "u8"),  # of the stream that says when its holder signs in
        ("batch", "i8"),
        ("first_stay", "i8"),
        ("stays", "i8"),
        ("first_event", "i8"),
        ("events", "i8"),
    ]
)

# Where a token lies from ``from_s`` on: a constant temperature has no swing. ``first`` and
# ``second`` are the temperature's moments from the token's first stay to ``from_s``.
STAY = np.dtype(
    [
        ("from_s", "f8"),
        ("mean_c", "f8"),
        ("swing_c", "f8"),
        ("warmest_hour", "f8"),
        ("first", "f8"),
        ("second", "f8"),
    ]
)

# What happens to a token's clock at ``at_s``: it stands until ``until_s``; or it jumps by ``by_s``,
# and ``until_s`` is NaN.
EVENT = np.dtype([("at_s", "f8"), ("by_s", "f8"), ("until_s", "f8")])

# The verifier's clock: from true time ``true_s`` on it shows server_s + (t - true_s) * rate.
PIECE = np.dtype([("true_s", "f8"), ("server_s", "f8"), ("rate", "f8")])

# What is counted of one token under one policy.
COUNTS = np.dtype(
    [
        ("sign_ins", "i8"),  # occasions on which its holder wanted to sign in
        ("rejections", "i8"),  # right codes that were refused
        ("lock_outs", "i8"),  # occasions on which no attempt was accepted
        ("resyncs", "i8"),  # times that two consecutive codes found the clock again
        ("lost", "i8"),  # times that they did not: the token is replaced
        ("acceptable", "i8"),  # acceptable codes, summed over the moments looked at
        ("acceptable_next", "i8"),  # the same right after a wrong code: to a second guess
        ("moments", "i8"),  # how many moments these were
        ("most_acceptable", "i8"),  # at any of these moments
    ]
)
