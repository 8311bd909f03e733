"""Files that wait to be confirmed: once, by who uploaded them, for a while."""

from tokenkit.verifier.seed_file import Seed
from tokenkit.web.admin_pending import KEPT_S, PendingImports

SEED = Seed("TOKEN000001", bytes(20), "SHA1", 6, 30)


class TestPendingImports:
    def setup_method(self) -> None:
        self.now_s = 1e9
        self.pending = PendingImports(lambda: self.now_s)

    def test_once(self) -> None:
        key = self.pending.put("root", "seeds.csv", b"x", [SEED])
        taken = self.pending.take("root", key)
        assert taken is not None
        assert (taken.name, taken.seeds) == ("seeds.csv", (SEED,))
        assert self.pending.take("root", key) is None

    def test_nobody_takes_anothers(self) -> None:
        key = self.pending.put("ann", "seeds.csv", b"x", [SEED])
        assert self.pending.take("ben", key) is None
        assert self.pending.take("ann", key) is not None

    def test_for_a_while(self) -> None:
        early = self.pending.put("root", "a", b"a", [SEED])
        self.now_s += 1
        late = self.pending.put("root", "b", b"b", [SEED])
        self.now_s += KEPT_S - 1
        assert self.pending.take("root", early) is None
        assert self.pending.take("root", late) is not None

    def test_of_many_the_oldest_go(self) -> None:
        keys = [self.pending.put("root", "a", bytes([n]), [SEED]) for n in range(21)]
        assert self.pending.take("root", keys[0]) is None
        assert all(self.pending.take("root", key) for key in keys[1:])

    def test_no_seed_in_its_text(self) -> None:
        self.pending.put("root", "a", b"a", [SEED])
        assert "x00" not in repr(
            self.pending.take("root", self.pending.put("root", "", b"", [SEED]))
        )
