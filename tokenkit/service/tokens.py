"""Hardware tokens made of software, whose seeds the verifier of a service has."""

from tokenkit.scenario.places import Place
from tokenkit.verifier import NoSuchEntity, Verifier
from tokenkit.verifier.seed_file import parse_seed_file
from tokenkit.virtual import HardwareToken, World, csv_file


class VirtualTokens:
    """The tokens in somebody's drawer, under true time. They live as long as the process."""

    def __init__(self, world: World, verifier: Verifier) -> None:
        self._world = world
        self._verifier = verifier
        self._tokens: dict[str, HardwareToken] = {}
        self._places: dict[str, str] = {}

    def make(self, prefix: str = "TKTEST", count: int = 1, *, place: str = "desk") -> list[str]:
        """Make tokens and import their seeds; the serial numbers. ValueError, EntityAlreadyExists.

        They are ``prefix`` and the next numbers that the verifier does not know: those of an
        earlier process it may. ``place`` is a name, or a temperature such as "5 °C".
        """
        environment = Place.of(place).environment()
        batch = self._world.make_batch(prefix, count)
        while self._verifier.known_serial_numbers([spec.serial_number for spec in batch.tokens]):
            batch = self._world.make_batch(prefix, count)
        made = [self._world.token(spec, place=environment) for spec in batch.tokens]
        self._verifier.add_tokens(parse_seed_file(csv_file(batch.tokens)))
        self._tokens |= {token.serial_number: token for token in made}
        self._places |= {token.serial_number: place for token in made}
        return [token.serial_number for token in made]

    def find(self, serial_number: str) -> HardwareToken:
        """NoSuchEntity."""
        try:
            return self._tokens[serial_number]
        except KeyError:
            raise NoSuchEntity(f"There is no virtual token {serial_number}.") from None

    def all(self) -> list[HardwareToken]:
        """In the order in which they were made."""
        return list(self._tokens.values())

    def place(self, serial_number: str) -> str:
        """Where it was laid last. NoSuchEntity."""
        return self._places[self.find(serial_number).serial_number]

    def move(self, serial_number: str, place: str) -> None:
        """Lay a token elsewhere, from now on. NoSuchEntity, ValueError."""
        environment = Place.of(place).environment()
        self.find(serial_number).environment.move(self._world.clock.now(), environment)
        self._places[serial_number] = place
