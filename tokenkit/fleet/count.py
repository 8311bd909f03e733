"""Stands in for the kernel: numbers that follow from serial numbers alone, at its cost."""

import numpy as np

from tokenkit.fleet.layout import COUNTS
from tokenkit.fleet.partition import Counted, Partition
from tokenkit.fleet.study import Study
from tokenkit.fleet.tally import MONTHLY, MOST_CODES, tally
from tokenkit.scenario.durations import YEAR_S


def count(study: Study, part: Partition) -> Counted:
    """Count ``part`` of ``study``."""
    policies, days = len(study.policy), round(365 * study.years)
    token = np.arange(part.first, part.first + part.count, dtype=np.uint64)
    mixed = (token + np.uint64(study.seed)) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(60)
    counts = np.zeros((policies, part.count), COUNTS)
    for policy in range(policies):
        row = counts[policy]
        row["sign_ins"] = days
        row["rejections"] = mixed.astype(np.int64) // (policy + 1) + part.batch
        row["lock_outs"] = row["resyncs"] = row["rejections"] // 4
        row["moments"], row["acceptable"], row["most_acceptable"] = days, 3 * days, 3 + policy
    histogram = np.zeros((policies, MOST_CODES + 1), np.int64)
    histogram[:, 3] = days * part.count
    months = np.zeros((policies, int(12 * study.years) + 1, len(MONTHLY)), np.int64)
    return Counted(
        part, counts, tally(counts, int(study.years * YEAR_S) * part.count, histogram, months)
    )
