"""What a study found: plain numbers, for reports, tables and programs."""

from datetime import datetime

import msgspec


class Estimate(msgspec.Struct, frozen=True):
    """A value and its 95 % confidence interval. None is what cannot be said: x / 0."""

    value: float | None
    low: float | None
    high: float | None


class Rate(msgspec.Struct, frozen=True):
    """How often something happened, and how often that is in 1,000 token-years."""

    count: int
    per_1000_token_years: Estimate


class Codes(msgspec.Struct, frozen=True):
    """How many codes would have been accepted, at moments spread over all the time.

    ``mean`` is what a first guess meets, ``mean_next`` what the next one does after a wrong code.
    ``moments[n]`` is at how many of these moments n codes were acceptable (the last element: so
    many or more); the list ends with the last one that is not 0.
    """

    mean: Estimate
    mean_next: Estimate
    percentile_99: int
    most: int
    moments: list[int]


class Timeline(msgspec.Struct, frozen=True):
    """What happened in each month since the study's start (a month is 30.436875 days)."""

    sign_ins: list[int]
    rejections: list[int]
    lock_outs: list[int]


class Cell(msgspec.Struct, frozen=True):
    """What tokens of ``batch`` met under ``policy``; ``batch`` None: those of all batches."""

    policy: str
    batch: str | None
    tokens: int
    token_years: float
    sign_ins: int
    rejections: Rate
    lock_outs: Rate
    resyncs: Rate
    lost: Rate
    codes: Codes
    months: Timeline


class Comparison(msgspec.Struct, frozen=True):
    """``policy`` beside ``baseline`` on the same tokens of ``batch`` (None: of all batches).

    ``measure`` is the name of a rate of Cell, or "acceptable" or "acceptable_next":
    codes, on average.
    ``difference`` is policy less baseline, in 1,000 token-years or in codes;
    ``ratio`` is policy over baseline.
    """

    policy: str
    baseline: str
    batch: str | None
    measure: str
    difference: Estimate
    ratio: Estimate


class PolicyNote(msgspec.Struct, frozen=True):
    """A policy's name and its rules in words."""

    name: str
    rules: str


class BatchNote(msgspec.Struct, frozen=True):
    """A batch in words: how many tokens, which, where they lie, how they are used."""

    name: str
    tokens: int
    summary: str


class StudyResult(msgspec.Struct, frozen=True):
    """A whole study. ``cells`` has each policy with each batch and with None, in this order;
    ``comparisons`` has each pair of policies, the later one beside the earlier one. ``assumed`` is
    in sentences: how people sign in, what clocks do."""

    title: str
    summary: str
    seed: int
    start: datetime
    years: float
    assumed: list[str]
    policies: list[PolicyNote]
    batches: list[BatchNote]
    cells: list[Cell]
    comparisons: list[Comparison]

    def cell(self, policy: str, batch: str | None = None) -> Cell:
        """KeyError if there is no such policy or batch."""
        for cell in self.cells:
            if (cell.policy, cell.batch) == (policy, batch):
                return cell
        raise KeyError((policy, batch))

    def comparison(
        self, policy: str, baseline: str, measure: str, batch: str | None = None
    ) -> Comparison:
        """KeyError if there is none."""
        for found in self.comparisons:
            if (found.policy, found.baseline, found.measure, found.batch) == (
                policy,
                baseline,
                measure,
                batch,
            ):
                return found
        raise KeyError((policy, baseline, measure, batch))

    def to_json(self) -> bytes:
        """One JSON object, indented: the same bytes for the same numbers."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    @classmethod
    def from_json(cls, text: bytes | str) -> "StudyResult":
        """msgspec.ValidationError if it is none."""
        return msgspec.json.decode(text, type=cls)
