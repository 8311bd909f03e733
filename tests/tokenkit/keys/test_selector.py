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
        ("virtual:reference?seed=7", Selector("virtual", "reference", "7")),
        ("virtual:reference?seed=a=b", Selector("virtual", "reference", "a=b")),
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
        ("virtual:reference?", "only ?seed=VALUE"),
        ("virtual:reference?seed=", "only ?seed=VALUE"),
        ("virtual:reference?sed=1", "only ?seed=VALUE"),
        ("virtual:reference?seed=1&seed=2", "only ?seed=VALUE"),
    ],
)
def test_a_wrong_selector_says_how_to_write_it(text: str, advice: str) -> None:
    with pytest.raises(SelectorError) as caught:
        parse_selector(text)
    assert advice in str(caught.value)
    assert repr(text) in str(caught.value)


@given(st.text())
def test_any_text_is_a_selector_or_a_clear_error(text: str) -> None:
    parsed, message = None, ""
    try:
        parsed = str(parse_selector(text))
    except TokenkitError as error:
        message = str(error)
    assert parsed == (None if message else text)
    assert "\n" not in message
