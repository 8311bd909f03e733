"""What one partition gave, as bytes: for the way from a worker, and for a checkpoint."""

import io

import numpy as np

from tokenkit.fleet.partition import Counted, Partition
from tokenkit.fleet.tally import Tally


def pack(counted: Counted) -> bytes:
    """A NumPy archive (npz): the same bytes for the same numbers."""
    part = counted.partition
    file = io.BytesIO()
    np.savez_compressed(
        file,
        partition=np.array([part.batch, part.first, part.count], np.int64),
        counts=counted.counts,
        **vars(counted.tally),
    )
    return file.getvalue()


def unpack(data: bytes) -> Counted:
    """What :func:`pack` was given."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        read = {name: arrays[name] for name in arrays.files}
    partition = Partition(*read.pop("partition").tolist())
    return Counted(partition, read.pop("counts"), Tally(**read))
