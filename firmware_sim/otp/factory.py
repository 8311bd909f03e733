"""The factory: makes batches of tokens."""

from dataclasses import dataclass

from firmware_sim.otp.grade import Grade
from firmware_sim.otp.grade import grade as grade_named
from firmware_sim.otp.hotp import SEED_BYTES, check_code_format
from firmware_sim.otp.token import TokenKind, TokenSpec, check_serial_number
from firmware_sim.world.entropy import Entropy, SeededEntropy

NUMBER_DIGITS = 8
MONTH_S = 365.25 / 12 * 86_400.0


@dataclass(frozen=True)
class Batch:
    """Tokens in the order of their serial numbers."""

    tokens: list[TokenSpec]

    def find(self, serial_number: str) -> TokenSpec:
        """The token with that serial number; ValueError that names the range if there is none."""
        for spec in self.tokens:
            if spec.serial_number == serial_number:
                return spec
        names = [spec.serial_number for spec in self.tokens]
        if len(names) > 1:
            has = f"{names[0]} to {names[-1]}"
        else:
            has = f"only {names[0]}" if names else "none"
        raise ValueError(f"no token {serial_number!r} in this batch, which has {has}")


class Factory:
    """Makes tokens at true time ``made_s``, all their randomness from ``entropy``.

    With a :class:`SeededEntropy` a token depends on its seed, the token's serial number and the
    options alone: a batch can be made again, in parts, or longer, and its tokens stay the same.
    """

    def __init__(self, entropy: Entropy, made_s: float) -> None:
        self._entropy = entropy
        self._made_s = made_s

    def make_batch(
        self,
        prefix: str,
        count: int,
        first: int = 1,
        *,
        kind: TokenKind | str = TokenKind.TOTP,
        algorithm: str = "SHA1",
        digits: int = 6,
        period_s: int = 30,
        grade: str | Grade = "token",
        months_in_stock: float = 0.0,
    ) -> Batch:
        """Make ``count`` tokens, ``prefix`` and eight digits from ``first`` on being their names.

        ``grade`` is the batch's distribution of crystals, maybe by its name in
        ``firmware_sim.otp.grade.GRADES``.
        Tokens that lay ``months_in_stock`` were made that much earlier: clocks have drifted and
        batteries run since. A seed has as many bytes as the hash. ValueError if an argument is
        out of range.
        """
        last = first + count - 1
        if count < 1 or first < 0 or last >= 10**NUMBER_DIGITS:
            raise ValueError(
                f"a batch has at least one token, and numbers from 0 to {10**NUMBER_DIGITS - 1}:"
                f" not {count} from {first} on"
            )
        if not 0 <= months_in_stock < float("inf"):
            raise ValueError(f"the months in stock are at least 0, not {months_in_stock}")
        check_code_format(digits, algorithm)
        crystals = grade_named(grade) if isinstance(grade, str) else grade
        tokens = []
        for number in range(first, last + 1):
            serial_number = f"{prefix}{number:0{NUMBER_DIGITS}d}"
            check_serial_number(serial_number)  # it names a stream of randomness below
            entropy = self._entropy
            if isinstance(entropy, SeededEntropy):
                entropy = entropy.child(serial_number)
            # one order and one amount, so that no option changes what another one draws
            seed = entropy.bytes(max(SEED_BYTES.values()))[: SEED_BYTES[algorithm]]
            entropy_key = entropy.bytes(32)
            tokens.append(
                TokenSpec(
                    serial_number=serial_number,
                    seed=seed,
                    kind=_kind(kind),
                    algorithm=algorithm,
                    digits=digits,
                    period_s=period_s,
                    crystal=crystals.draw(entropy),
                    entropy_key=entropy_key,
                    made_s=self._made_s - months_in_stock * MONTH_S,
                )
            )
        return Batch(tokens)


def _kind(kind: str) -> TokenKind:
    try:
        return TokenKind(kind)
    except ValueError:
        raise ValueError(f"a token is {' or '.join(TokenKind)}, not {kind}") from None
