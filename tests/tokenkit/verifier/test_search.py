"""The search for two codes: compiled and in pure Python, against pyotp."""

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tokenkit.verifier import InvalidAuthenticationCode, search
from tokenkit.verifier.resync import resynchronise
from tokenkit.verifier.search import find_pairs, warm
from tokenkit.verifier.totp import CodeGenerator, TotpState

ALGORITHMS = ["SHA1", "SHA256", "SHA512"]
CodeAt = Callable[..., bytes]

key_sizes = st.one_of(st.integers(1, 200), st.sampled_from([20, 32, 63, 64, 65, 127, 128, 129]))
seeds = key_sizes.flatmap(lambda size: st.binary(min_size=size, max_size=size))
edges = st.sampled_from([0, 2**31, 2**32, 2**63, 2**64]).flatmap(
    lambda edge: st.integers(edge - 600, edge + 600)
)
firsts = st.one_of(edges, st.integers(-(2**64), 2**64))


@pytest.fixture(params=["compiled", "pure Python"], scope="module", autouse=True)
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """How codes are searched for in the test."""
    assert warm()
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "pure Python":
            patch.setattr(search, "_kernels", {})
        yield request.param


@given(
    seeds,
    st.sampled_from(ALGORITHMS),
    st.integers(1, 8),
    firsts,
    st.integers(2, 1100),
    st.integers(0, 2**20),
)
@example(b"seed", "SHA1", 8, -1, 33, 0)
@example(b"seed", "SHA512", 1, 2**64 - 511, 514, 511)
def test_what_is_found_against_pyotp(
    code_at: CodeAt,
    seed: bytes,
    algorithm: str,
    digits: int,
    first: int,
    count: int,
    shown: int,
) -> None:
    """One digit makes pairs collide, so that there are many to find."""
    generator = CodeGenerator(seed, algorithm, digits)
    codes = [code_at(seed, digits, first + n, algorithm) for n in range(count)]
    pairs = list(itertools.pairwise(codes))
    pair = pairs[shown % (count - 1)]
    right = [first + n for n, each in enumerate(pairs) if each == pair]
    assert find_pairs(generator, *pair, range(first, first + count)) == right


@pytest.mark.parametrize(
    ("time_s", "sha1", "sha256", "sha512"),
    [
        (59, "94287082", "46119246", "90693936"),
        (1111111109, "07081804", "68084774", "25091201"),
        (1111111111, "14050471", "67062674", "99943326"),
        (1234567890, "89005924", "91819424", "93441116"),
        (2000000000, "69279037", "90698825", "38618901"),
        (20000000000, "65353130", "77737706", "47863826"),
    ],
)
def test_the_vectors_of_rfc_6238(time_s: int, sha1: str, sha256: str, sha512: str) -> None:
    key = b"1234567890" * 7
    for algorithm, size, code in zip(ALGORITHMS, (20, 32, 64), (sha1, sha256, sha512), strict=True):
        generator = CodeGenerator(key[:size], algorithm, 8)
        shown = time_s // 30
        [after] = generator.codes([shown + 1])
        counters = range(shown - 5000, shown + 5000)
        assert find_pairs(generator, code.encode(), after, counters) == [shown]


def test_the_vectors_of_rfc_4226() -> None:
    codes = b"755224 287082 359152 969429 338314 254676 287922 162583 399871 520489".split()
    generator = CodeGenerator(b"12345678901234567890")
    for counter, pair in enumerate(itertools.pairwise(codes)):
        assert find_pairs(generator, *pair, range(-50, 50)) == [counter]


@pytest.mark.parametrize("digits", [9, 10])
def test_more_digits_than_31_bits_have(code_at: CodeAt, digits: int) -> None:
    generator = CodeGenerator(b"seed", digits=digits)
    codes = generator.codes(range(100))
    assert [find_pairs(generator, *pair, range(100)) for pair in itertools.pairwise(codes)] == [
        [counter] for counter in range(99)
    ]
    assert find_pairs(generator, b"9" * digits, codes[1], range(100)) == []


def test_ten_days_to_either_side_and_more(code_at: CodeAt) -> None:
    """Where the search goes part by part, a pair may lie across two."""
    generator, middle = CodeGenerator(b"seed"), 60_000_000
    counters = range(middle - 70_000, middle + 70_000)
    parts = range(counters.start, counters.stop, 2**16)
    for shown in [
        counters.start,
        counters.stop - 2,
        *(n for begin in parts for n in (begin - 1, begin)),
    ]:
        pair = code_at(b"seed", 6, shown), code_at(b"seed", 6, shown + 1)
        assert (shown in find_pairs(generator, *pair, counters)) == (shown in counters)


@pytest.mark.parametrize("counters", [range(5, 5), range(5, 6), range(5, 105)])
def test_a_pair_that_is_nowhere(code_at: CodeAt, counters: range) -> None:
    """The last code of a range has no neighbour in it."""
    generator, last = CodeGenerator(b"seed"), counters.stop - 1
    pair = code_at(b"seed", 6, last), code_at(b"seed", 6, last + 1)
    assert find_pairs(generator, *pair, counters) == []


@given(
    seeds,
    st.sampled_from(ALGORITHMS),
    st.integers(1, 3),
    st.integers(-(10**9), 10**9),
    st.integers(-300, 300),
    st.integers(0, 300),
    st.integers(-700, 700),
    st.one_of(st.none(), st.integers(-700, 700)),
)
def test_resynchronisation_is_the_same_both_ways(
    seed: bytes,
    algorithm: str,
    digits: int,
    now_step: int,
    offset_steps: int,
    range_steps: int,
    shown: int,
    used: int | None,
) -> None:
    generator = CodeGenerator(seed, algorithm, digits)
    state = TotpState(offset_steps, None if used is None else now_step + used)
    pair = generator.codes([now_step + shown, now_step + shown + 1])

    def judged() -> TotpState | type[InvalidAuthenticationCode]:
        try:
            return resynchronise(generator, state, *pair, now_step, range_steps)
        except InvalidAuthenticationCode as refusal:
            return type(refusal)

    this_way = judged()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "_kernels", {})
        assert this_way == judged()


def test_threads_search_at_once(way: str) -> None:
    generators = [CodeGenerator(bytes([n]), ALGORITHMS[n % 3]) for n in range(1, 9)]

    def found(generator: CodeGenerator) -> list[int]:
        return find_pairs(generator, *generator.codes([4000, 4001]), range(20_000))

    with ThreadPoolExecutor(4) as pool:
        assert all(4000 in each for each in pool.map(found, generators))
