"""Numbers and lists as people read them."""

from collections.abc import Callable, Sequence

from tokenkit.fleet.result import Estimate


def figure(value: float | None) -> str:
    """As many digits as a reader can use: ``0.034``, ``5.2``, ``52``, ``1,230``; – for None."""
    if value is None:
        return "–"
    size = abs(value)
    if size >= 1000:
        text = f"{float(f'{size:.3g}'):,.0f}"
    elif size >= 9.95:
        text = f"{size:.0f}"
    elif size >= 1.995:
        text = f"{size:.1f}"
    elif size >= 0.995:
        text = f"{size:.2f}"  # ratios above 1 are to be seen as such
    else:
        text = f"{size:.2g}" if size else "0"
    return "−" + text if value < 0 else text


def codes_figure(value: float | None) -> str:
    """A mean number of codes, whose tenths and hundredths matter: ``3.00``, ``12.4``."""
    if value is None:
        return "–"
    return f"{value:.2f}" if abs(value) < 9.995 else f"{value:.1f}"


def interval(estimate: Estimate, say: Callable[[float | None], str] = figure) -> str:
    """``3.9 to 7.0``."""
    return f"{say(estimate.low)} to {say(estimate.high)}"


def listed(words: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def plural(count: int, word: str) -> str:
    """``1 token``, ``10,000 tokens``."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"
