"""Which shifts of tokens are the server's."""

from tokenkit.drift.server_faults import Seen, Shift, server_faults

DAY_S = 86_400.0


def shift(token: int, day: float, by_s: float, gap: float = 4.0) -> Shift:
    """Of a token that was seen half a gap before and after."""
    return Shift(f"T{token}", (day - gap / 2) * DAY_S, (day + gap / 2) * DAY_S, by_s, 5.0)


def seen(*shifts: Shift) -> list[Seen]:
    times = {(each.after_s, each.token) for each in shifts}
    return sorted(Seen(*each) for each in times | {(s.before_s, s.token) for s in shifts})


def test_it_begins_and_ends() -> None:
    shifts = [shift(n, 10 + n / 4, -60.0 + n) for n in range(5)]
    shifts += [shift(n, 20 + n / 4, 60.0 - n) for n in range(5)]
    [fault] = server_faults(shifts, seen(*shifts))
    assert (fault.begin.after_s, fault.begin.before_s) == (9.0 * DAY_S, 12.0 * DAY_S)
    assert fault.end is not None
    assert (fault.end.after_s, fault.end.before_s) == (19.0 * DAY_S, 22.0 * DAY_S)
    assert 55.0 < fault.by_s.value < 60.0
    assert fault.tokens == [f"T{n}" for n in range(5)]


def test_two_tokens_are_too_few() -> None:
    shifts = [shift(n, 10, -60.0) for n in range(2)]
    assert server_faults(shifts, seen(*shifts)) == []


def test_steps_of_other_sizes_are_their_own() -> None:
    shifts = [shift(n, 10, -60.0 * n) for n in range(1, 8)]
    assert server_faults(shifts, seen(*shifts)) == []


def test_it_is_not_the_server_if_others_saw_nothing() -> None:
    shifts = [shift(n, 10, -60.0) for n in range(4)]
    others = [Seen(day * DAY_S, f"U{n}") for n in range(4) for day in (9.0, 12.5, 30.0)]
    assert server_faults(shifts, sorted([*seen(*shifts), *others])) == []
    fewer = [each for each in others if each.token in ("U0", "U1")]
    assert len(server_faults(shifts, sorted([*seen(*shifts), *fewer]))) == 1


def test_who_saw_the_right_time_narrows_it() -> None:
    """Not who was seen while it was wrong, and may have been mistaken."""
    shifts = [shift(n, 10, 60.0) for n in range(4)] + [shift(n, 20, -60.0) for n in range(4)]
    others = [Seen(9.5 * DAY_S, "U"), Seen(20.5 * DAY_S, "U")]
    [fault] = server_faults(shifts, sorted([*seen(*shifts), *others]))
    assert fault.end is not None
    assert (fault.begin.after_s, fault.end.before_s) == (9.5 * DAY_S, 20.5 * DAY_S)
    assert fault.by_s.value < 0  # behind: tokens went ahead of it


def test_two_faults() -> None:
    shifts = [
        shift(n, day, by)
        for n in range(3)
        for day, by in ((10, -60.0), (20, 60.0), (50, -900.0), (70, 900.0))
    ]
    found = server_faults(shifts, seen(*shifts))
    assert [round(fault.by_s.value) for fault in found] == [60, 900]
