import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.errors import TokenkitError
from tokenkit.keys import Selector, SelectorError, parse_selector


@pytest.mark.parametrize(
    ("text", "selector"),
    [
        ("auto", Selector("auto")),
        ("hid:/dev/hidraw3", Selector("hid", "/dev/hidraw3")),
        (r"hid:\\?\hid#vid_1050:x", Selector("hid", r"\\?\hid#vid_1050:x")),
        ("pcsc:ACS ACR122U 00 00", Selector("pcsc", "ACS ACR122U 00 00")),
        ("serial:12345678", Selector("serial", "12345678")),
        ("virtual:reference", Selector("virtual", "reference")),
        ("virtual:reference?seed=7", Selector("virtual", "reference", {"seed": "7"})),
        ("virtual:reference?seed=a=b", Selector("virtual", "reference", {"seed": "a=b"})),
        ("virtual:reference?state=~/k", Selector("virtual", "reference", {"state": "~/k"})),
        (
            "virtual:reference?state=what?.db",
            Selector("virtual", "reference", {"state": "what?.db"}),
        ),
        ("virtual:a?seed=7&state=k", Selector("virtual", "a", {"seed": "7", "state": "k"})),
        ("virtual:a?state=k&seed=7", Selector("virtual", "a", {"state": "k", "seed": "7"})),
        ("virtual:a?faults=f.toml", Selector("virtual", "a", {"faults": "f.toml"})),
        ("virtual:?state=k", Selector("virtual", "", {"state": "k"})),
        ("virtual:?seed=1&state=k", Selector("virtual", "", {"seed": "1", "state": "k"})),
    ],
)
def test_each_form(text: str, selector: Selector) -> None:
    assert parse_selector(text) == selector
    assert str(selector) == text


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("", "write one of auto, hid:/dev/hidraw3"),
        ("nonsense", "write one of"),
        ("auot", "did you mean auto?"),
        ("auto:", "write auto alone"),
        ("hidd:/dev/hidraw3", "did you mean hid:/dev/hidraw3?"),
        ("HID:/dev/hidraw3", "write one of"),
        ("/dev/hidraw3", "did you mean hid:/dev/hidraw3?"),
        ("12345678", "did you mean serial:12345678?"),
        ("virtul:reference", "did you mean virtual:reference?"),
        ("virtual", "did you mean virtual:PROFILE?seed=1?"),
        ("serial:", "write serial:NUMBER"),
        ("virtual:", "write virtual:PROFILE"),
        ("virtual:?seed=1", "write virtual:PROFILE"),
        ("virtual:reference?", "only ?seed=VALUE, state=FILE and faults=FILE, with & between"),
        ("virtual:reference?seed=", "may follow the profile, not 'seed='"),
        ("virtual:reference?sed=1", "may follow the profile, not 'sed=1'"),
        ("virtual:reference?seed=1&", "may follow the profile, not ''"),
        ("virtual:reference?seed=1&seed=2", "seed is there twice"),
        ("virtual:reference?state=a&seed=1&state=a", "state is there twice"),
        ("virtual:reference?state=", "may follow the profile, not 'state='"),
        ("virtual:?faults=f.toml", "write virtual:PROFILE"),
        ("virtual:a?faults=f&g", "'&g' is no parameter, and the name of a faults file"),
        ("virtual:reference?state=R&D.db", "'&D.db' is no parameter, and the name of a state file"),
    ],
)
def test_a_wrong_selector_says_how_to_write_it(text: str, advice: str) -> None:
    with pytest.raises(SelectorError) as caught:
        parse_selector(text)
    assert advice in str(caught.value)
    assert repr(text) in str(caught.value)


SELECTORS = st.one_of(
    st.text(),
    st.builds(
        "virtual:{}?{}".format,
        st.text(max_size=3),
        st.lists(
            st.builds(
                "{}={}".format, st.sampled_from(["seed", "state", "faults"]), st.text(max_size=3)
            ),
            max_size=2,
        ).map("&".join),
    ),
)


@given(SELECTORS)
def test_any_text_is_a_selector_or_a_clear_error(text: str) -> None:
    parsed, message = None, ""
    try:
        parsed = str(parse_selector(text))
    except TokenkitError as error:
        message = str(error)
    assert parsed == (None if message else text)
    assert "\n" not in message


@given(
    st.text(max_size=9).filter(lambda text: "?" not in text),
    st.permutations(["seed", "state"]),
    st.text(min_size=1).filter(lambda text: "&" not in text),
    st.text(min_size=1).filter(lambda text: "&" not in text),
)
def test_parameters_come_in_any_order(
    profile: str, names: list[str], seed: str, state: str
) -> None:
    values = {"seed": seed, "state": state}
    query = "&".join(f"{name}={values[name]}" for name in names)
    selector = parse_selector(f"virtual:{profile}?{query}")
    assert (selector.value, selector.seed, selector.state) == (profile, seed, state)
    assert str(selector) == f"virtual:{profile}?{query}"
    assert selector == Selector("virtual", profile, values)
    assert hash(selector) == hash(Selector("virtual", profile, values))
