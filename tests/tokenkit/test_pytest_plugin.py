"""The plugin as a project that has tokenkit installed meets it."""

from pathlib import Path

import pytest

# Imported out here, so that the inner runs, which forget what they imported, find them loaded.
import tokenkit.keys
import tokenkit.service.endpoint
import tokenkit.verifier
import tokenkit.virtual  # noqa: F401

KEY_TEST = """
    from fido2.ctap2 import Ctap2

    def test_key(virtual_key):
        assert Ctap2(virtual_key.device).info.versions[0] == "U2F_V2"
        assert virtual_key.is_virtual == (virtual_key.security_key is not None)
"""

# A virtual key behind python-fido2's own functions: the driver layer takes it for a physical one.
PHYSICAL = """
    import fido2.hid, pytest
    from dataclasses import replace
    from tokenkit import virtual

    @pytest.fixture(autouse=True, scope="session")
    def one_physical_key():
        key = virtual.World(seed=1).security_key()
        device = virtual.connect(key)
        descriptor = replace(device.descriptor, path="/dev/hidraw3", serial_number="42")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fido2.hid, "list_descriptors", lambda: [descriptor])
            patch.setattr(fido2.hid, "open_connection", lambda d: type(device._connection)(key))
            yield
"""


NO_OTHER_KEYS = """
    import fido2.hid, pytest

    @pytest.fixture(autouse=True, scope="session")
    def no_other_keys():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fido2.hid, "list_descriptors", list)
            yield
"""


def run(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", *args)


def test_the_fixtures_work_together(pytester: pytest.Pytester) -> None:
    """Enrol a token and a key, sign in with both, let years pass: all in one test's world."""
    pytester.makepyfile(
        """
        from fido2.hid import CtapHidDevice

        def test_token(totp_token, totp_seed_file, verifier, simulated_clock, tokenkit_world):
            assert tokenkit_world.clock is simulated_clock
            [serial] = verifier.import_seeds(totp_seed_file)
            assert serial == totp_token.serial_number
            codes = []
            for _ in range(3):
                codes.append(totp_token.code())
                simulated_clock.advance(30)
            verifier.create_user("ann")
            verifier.enable("ann", serial, codes[0], codes[1])
            assert verifier.sign_in("ann", codes[2]).device.serial_number == serial

        def test_key(virtual_key, simulated_clock):
            listed = [device.serial_number for device in CtapHidDevice.list_devices()]
            assert virtual_key.serial_number in listed
            assert virtual_key.security_key.clock is simulated_clock
            assert virtual_key.ctap2().info.versions[0] == "U2F_V2"
        """
    )
    run(pytester).assert_outcomes(passed=2)


SHOW = """
    import pytest

    @pytest.mark.parametrize("n", [1, 2])
    def test_show(n, totp_token, virtual_key, verifier):
        print("SHOWN", n, totp_token.code(), virtual_key.serial_number)
"""


def shown(result: pytest.RunResult) -> list[str]:
    return [line[line.index("SHOWN") :] for line in result.outlines if "SHOWN" in line]


def test_each_test_comes_out_the_same_again_alone_or_not(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SHOW)
    result = run(pytester, "-s")
    assert any("tokenkit: seed 1, key virtual" in line for line in result.outlines)
    first, second = shown(result)
    assert first.split()[2:] != second.split()[2:]
    assert shown(run(pytester, "-s")) == [first, second]
    assert shown(run(pytester, "-s", "-k", "2")) == [second]
    other = run(pytester, "-s", "--tokenkit-seed", "7")
    assert any("tokenkit: seed 7" in line for line in other.outlines)
    assert not {*shown(other)} & {first, second}


def test_another_profile_by_selector(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_key(virtual_key, simulated_clock):
            assert virtual_key.security_key.profile.name == "self-attested"
            assert virtual_key.security_key.clock is simulated_clock
        """
    )
    run(pytester, "--tokenkit-key", "virtual:self-attested").assert_outcomes(passed=1)


VIRTUAL = [
    (),
    ("--tokenkit-key", "virtual:reference"),
    ("--tokenkit-key", "virtual:reference?seed=7"),
]


@pytest.mark.parametrize("options", VIRTUAL)
def test_python_fido2_finds_the_key_whatever_way_it_was_chosen(
    pytester: pytest.Pytester, options: tuple[str, ...]
) -> None:
    pytester.makepyfile(
        """
        import pytest
        from fido2.hid import CtapHidDevice

        def test_key(virtual_key, simulated_clock):
            [found] = CtapHidDevice.list_devices()
            assert found.descriptor == virtual_key.device.descriptor
            assert virtual_key.selector == f"hid:{found.descriptor.path}"
            assert virtual_key.security_key.clock is simulated_clock

        def test_unplugged(virtual_key):
            virtual_key.security_key.power_off()
            with pytest.raises(OSError, match="unplugged"):
                virtual_key.device.ping()

        def test_no_key():
            assert list(CtapHidDevice.list_devices()) == []
        """
    )
    pytester.makeconftest(NO_OTHER_KEYS)
    run(pytester, *options).assert_outcomes(passed=3)


@pytest.mark.parametrize("options", VIRTUAL)
def test_nothing_need_be_captured(pytester: pytest.Pytester, options: tuple[str, ...]) -> None:
    pytester.makepyfile(KEY_TEST)
    run(pytester, "-p", "no:capture", *options).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("selector", "advice"),
    [
        ("virtual:refrence", "did you mean reference?"),
        ("/dev/hidraw3", "did you mean hid:/dev/hidraw3?"),
        ("virtual:reference?sed=1", "only ?seed=VALUE"),
    ],
)
def test_a_wrong_selector_is_one_clear_error_for_all_tests(
    pytester: pytest.Pytester, selector: str, advice: str
) -> None:
    pytester.makepyfile(KEY_TEST + "\n    def test_again(virtual_key): pass\n")
    result = run(pytester, "--tokenkit-key", selector)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.outlines == []
    [line] = [line for line in result.errlines if line]
    assert line.startswith("ERROR: --tokenkit-key: ")
    assert advice in line


def test_the_same_tests_on_a_physical_key(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(PHYSICAL)
    pytester.makepyfile(KEY_TEST)
    run(pytester).assert_outcomes(passed=1)
    chosen = ("--tokenkit-key", "auto", "--tokenkit-yes", "--tokenkit-serial", "42")
    result = run(pytester, *chosen)
    result.assert_outcomes(passed=1)
    assert any("key auto" in line for line in result.outlines)


@pytest.mark.parametrize("options", [(), ("--tokenkit-yes",)])
def test_a_physical_key_is_not_touched_unasked(
    pytester: pytest.Pytester, options: tuple[str, ...]
) -> None:
    pytester.makeconftest(PHYSICAL)
    pytester.makepyfile(KEY_TEST)
    result = run(pytester, "--tokenkit-key", "auto", *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.assert_outcomes()
    result.stdout.fnmatch_lines(["*--tokenkit-yes --tokenkit-serial 42*"])


def test_a_physical_key_is_asked_about_without_capture_too(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(PHYSICAL)
    pytester.makepyfile(KEY_TEST)
    chosen = ("--tokenkit-key", "auto", "--tokenkit-yes", "--tokenkit-serial")
    run(pytester, "-p", "no:capture", *chosen, "42").assert_outcomes(passed=1)
    result = run(pytester, "-p", "no:capture", *chosen, "43")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_the_wrong_physical_key_is_refused(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(PHYSICAL)
    pytester.makepyfile(KEY_TEST)
    result = run(pytester, "--tokenkit-key", "auto", "--tokenkit-yes", "--tokenkit-serial", "43")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(["*--tokenkit-serial 43 is not this key*"])


def test_a_person_is_asked_once_a_run(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions: list[str] = []

    def answer(terminal: object, question: str) -> str:
        questions.append(question)
        return "yes"

    monkeypatch.setattr("tokenkit.keys.guard.StandardTerminal.is_interactive", lambda self: True)
    monkeypatch.setattr("tokenkit.keys.guard.StandardTerminal.ask", answer)
    pytester.makeconftest(PHYSICAL)
    pytester.makepyfile(KEY_TEST + "\n    def test_again(virtual_key): virtual_key.device.ping()\n")
    run(pytester, "--tokenkit-key", "auto").assert_outcomes(passed=2)
    assert len(questions) == 1
    assert "42" in questions[0]


def test_the_options_are_documented(pytester: pytest.Pytester) -> None:
    result = run(pytester, "--help")
    result.stdout.fnmatch_lines(["*--tokenkit-key=SELECTOR*", "*--tokenkit-seed=SEED*"])
    fixtures = run(pytester, "--fixtures")
    for name in ("simulated_clock", "totp_token", "virtual_key", "verifier"):
        fixtures.stdout.fnmatch_lines([f"{name} -- *"])


def test_iam_endpoint_is_the_verifier_over_http(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import os
        import boto3

        def test_served(iam_endpoint, verifier, simulated_clock, monkeypatch):
            assert "AWS_SESSION_TOKEN" not in os.environ
            iam = boto3.client("iam")  # which the environment tells where, and with which key
            iam.create_user(UserName="ann")
            assert verifier.user("ann").created_s == simulated_clock.now()
            assert iam_endpoint.verifier is verifier
            assert iam_endpoint.client("sts").get_caller_identity()["Arn"].endswith(":root")
            assert iam_endpoint.secret_key not in repr(iam_endpoint)
            ann = iam.create_access_key(UserName="ann")["AccessKey"]
            sts = iam_endpoint.client(
                "sts",
                aws_access_key_id=ann["AccessKeyId"],
                aws_secret_access_key=ann["SecretAccessKey"],
            )
            assert sts.get_caller_identity()["Arn"].endswith(":user/ann")

        def test_gone():
            assert "AWS_ENDPOINT_URL_IAM" not in os.environ
        """
    )
    run(pytester).assert_outcomes(passed=2)


def test_the_example_of_the_docs(pytester: pytest.Pytester) -> None:
    page = (Path(__file__).parents[2] / "docs/service.md").read_text("utf-8")
    _, _, rest = page.partition("## In pytest\n\n```python\n")
    example, _, _ = rest.partition("```")
    imports = "import boto3\nimport pytest\nfrom botocore.exceptions import ClientError\n\n"
    pytester.makepyfile(imports + example)
    run(pytester).assert_outcomes(passed=1)
