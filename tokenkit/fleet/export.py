"""A study's tables for other programs: CSV and Parquet, by policy and batch, and by token.

The summary has one row for each policy and batch, and one for all batches together, whose
``batch`` is empty (CSV) or null (Parquet). Its columns:

policy, batch: names.
tokens, token_years: how many tokens, and for how long they were in use in all.
sign_ins: occasions on which somebody wanted to sign in.
rejections, lock_outs, resyncs, lost: how often a right code was refused; nobody got in by any
    attempt; two consecutive codes found the clock again; they did not, and the token was replaced.
    Each is followed by its rate, ``…_per_1000_token_years``, and its 95 % interval: the same with
    ``_low`` and ``_high``.
codes_mean, codes_mean_next, codes_percentile_99, codes_most: codes that would have been accepted
    at a time; next: right after a wrong one.

The table by token has one row for each token and policy: ``policy``, ``batch``, ``serial_number``
and the fields of COUNTS.
"""

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tokenkit.fleet.partition import Counted
from tokenkit.fleet.result import StudyResult
from tokenkit.fleet.study import Study
from tokenkit.fleet.tables import rows
from tokenkit.report.files import whole_file, write_whole

SUMMARY = "summary.parquet"
TOKENS = "tokens.parquet"
_ROWS = 100_000  # of tokens.parquet that are gathered before they are written


def write_csv(result: StudyResult, path: Path) -> None:
    """The summary as CSV (RFC 4180, UTF-8, with a heading): whole or not at all."""
    found = list(rows(result))
    text = io.StringIO()
    writer = csv.DictWriter(text, list(found[0]))
    writer.writeheader()
    writer.writerows(found)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.getvalue())


def write_summary(result: StudyResult, folder: Path) -> None:
    """``summary.parquet`` in ``folder``: whole or not at all."""
    from pyarrow import Table, parquet

    with whole_file(folder / SUMMARY) as file:
        parquet.write_table(Table.from_pylist(list(rows(result))), file)


@contextmanager
def token_table(study: Study, folder: Path) -> Iterator[Callable[[Counted], None]]:
    """Write ``tokens.parquet`` in ``folder`` while partitions are handed in, in their order.

    It is there whole when the context is left, or not at all if by an exception. No more than
    some partitions are held.
    """
    import pyarrow as pa
    from pyarrow import parquet

    from tokenkit.fleet.layout import COUNTS

    fields = COUNTS.names or ()
    policies = pa.array([policy.name for policy in study.policy])
    name = pa.dictionary(pa.int32(), pa.string())
    texts = [("policy", name), ("batch", name), ("serial_number", pa.string())]
    schema = pa.schema([*texts, *((field, pa.int64()) for field in fields)])
    batches = pa.array([batch.name for batch in study.batch])

    def table(counted: Counted) -> Any:
        part, counts = counted.partition, counted.counts
        prefix = study.batch[part.batch].name
        serials = [f"{prefix}{part.first + token:08d}" for token in range(part.count)]
        columns = [
            _repeated(policies, np.tile(np.arange(len(policies)), part.count)),
            _repeated(batches, np.full(counts.size, part.batch)),
            pa.array(serials).take(pa.array(np.repeat(np.arange(part.count), len(policies)))),
            *(pa.array(counts[field].T.ravel()) for field in fields),
        ]
        return pa.Table.from_arrays(columns, schema=schema)

    folder.mkdir(parents=True, exist_ok=True)
    with (
        whole_file(folder / TOKENS) as file,
        parquet.ParquetWriter(file, schema) as writer,
    ):
        gathered: list[Any] = []

        def add(counted: Counted) -> None:
            gathered.append(table(counted))
            if sum(map(len, gathered)) >= _ROWS:
                write()

        def write() -> None:
            writer.write_table(pa.concat_tables(gathered))
            gathered.clear()

        yield add
        if gathered:
            write()


def _repeated(names: Any, indices: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> Any:
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(pa.array(indices.astype(np.int32)), names)
