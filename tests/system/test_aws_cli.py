"""The AWS CLI walks through the life of MFA devices, against ``tokenkit serve``."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyotp
import pytest
import zxingcpp
from PIL import Image

HERE = os.path.dirname(sys.executable)
AWS = shutil.which("aws", path=os.pathsep.join([HERE, os.environ["PATH"]]))
pytestmark = pytest.mark.skipif(AWS is None, reason="pip install awscli")
DEADLINE_S = 120
MFA = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"AWS": "123456789012"},
            "Action": "sts:AssumeRole",
            "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
        },
    }
)
ALLOW_ALL = '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'


class Service:
    """A service with a simulated clock; ``aws`` asks it as root, or with other credentials."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        control = folder / "control"
        serve = ["serve", "--port", "0", "--clock", "simulated", "--json", "--control"]
        self._served = subprocess.Popen(
            [sys.executable, "-m", "tokenkit", *serve, str(control)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._served.stdout is not None
        facts = json.loads(self._served.stdout.readline())
        self._environment = {
            **os.environ,
            **facts["environment"],
            "AWS_CONFIG_FILE": str(folder / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
            "AWS_PAGER": "",
            "AWS_MAX_ATTEMPTS": "1",
            "TOKENKIT_SERVICE": str(control),
        }

    def close(self) -> None:
        self._served.terminate()
        self._served.wait(DEADLINE_S)
        assert self._served.stdout is not None
        self._served.stdout.close()

    def aws(self, *arguments: str, **environment: str) -> Any:
        """What it prints, as JSON."""
        done = self._run([str(AWS), *arguments], environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    def refused(self, *arguments: str, **environment: str) -> str:
        """What it says on standard error."""
        done = self._run([str(AWS), *arguments], environment)
        assert done.returncode in (254, 255), (done.stdout, done.stderr)  # of version 2, of 1
        return done.stderr.strip()

    def ctl(self, *arguments: str) -> str:
        done = self._run([sys.executable, "-m", "tokenkit", "ctl", *arguments], {})
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @property
    def now_s(self) -> float:
        return datetime.fromisoformat(self.ctl("clock").split()[0]).timestamp()

    def _run(
        self, command: list[str], environment: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env={**self._environment, **environment},
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path)
    yield service
    service.close()


def codes(pair: str) -> list[str]:
    first, second = pair.split()
    return ["--authentication-code1", first, "--authentication-code2", second]


def test_a_hardware_token_drifts_away_and_comes_back(service: Service) -> None:
    service.aws("iam", "create-user", "--user-name", "ann")
    serial = service.ctl("make-tokens", "--prefix", "GAHT", "--place", "warehouse")
    named = ["--user-name", "ann", "--serial-number", serial]
    enable = ["iam", "enable-mfa-device", *named]
    assert "(InvalidAuthenticationCode)" in service.refused(*enable, *codes("000000 000000"))
    service.ctl("clock", "advance", "1 minute")
    service.aws(*enable, *codes(service.ctl("two-codes")))
    [device] = service.aws("iam", "list-mfa-devices", "--user-name", "ann")["MFADevices"]
    assert device["SerialNumber"] == serial
    service.ctl("clock", "advance", "8 months")
    # the key is ann's, the code her token's
    key = service.aws("iam", "create-access-key", "--user-name", "ann")["AccessKey"]
    anns = {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }
    sign_in = ["sts", "get-session-token", "--serial-number", serial, "--token-code"]
    said = service.refused(*sign_in, service.ctl("press"), **anns)
    assert "MultiFactorAuthentication failed with invalid MFA one time pass code" in said
    service.ctl("clock", "advance", "1 minute")
    service.aws("iam", "resync-mfa-device", *named, *codes(service.ctl("two-codes")))
    service.ctl("clock", "advance", "30 s")
    session = service.aws(*sign_in, service.ctl("press"), **anns)["Credentials"]
    mine = {
        "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
        "AWS_SESSION_TOKEN": session["SessionToken"],
    }
    said = service.aws("sts", "get-caller-identity", **mine)
    assert said["Arn"] == "arn:aws:iam::123456789012:user/ann"
    service.aws("iam", "deactivate-mfa-device", *named)
    assert service.aws("iam", "list-mfa-devices", "--user-name", "ann")["MFADevices"] == []


def test_an_authenticator_app_of_root_by_its_qr_code(service: Service, tmp_path: Path) -> None:
    made = service.aws(
        *("iam", "create-virtual-mfa-device", "--virtual-mfa-device-name", "roots-phone"),
        *("--outfile", "qr.png", "--bootstrap-method", "QRCodePNG"),
    )
    serial = made["VirtualMFADevice"]["SerialNumber"]
    with Image.open(tmp_path / "qr.png") as picture:
        [code] = zxingcpp.read_barcodes(picture)
    phone = pyotp.parse_uri(code.text)
    assert isinstance(phone, pyotp.TOTP)
    now_s = service.now_s
    pair = f"{phone.at(int(now_s) - 30)} {phone.at(int(now_s))}"
    named = ["--user-name", "root", "--serial-number", serial]
    service.aws("iam", "enable-mfa-device", *named, *codes(pair))
    assert service.aws("iam", "get-account-summary")["SummaryMap"]["AccountMFAEnabled"] == 1
    said = service.refused("iam", "delete-virtual-mfa-device", "--serial-number", serial)
    assert "(DeleteConflict)" in said
    service.aws("iam", "deactivate-mfa-device", *named)
    service.aws("iam", "delete-virtual-mfa-device", "--serial-number", serial)
    assert service.aws("iam", "list-virtual-mfa-devices")["VirtualMFADevices"] == []


def test_a_role_behind_mfa(service: Service) -> None:
    service.aws("iam", "create-user", "--user-name", "ann")
    policy = ["--policy-name", "all", "--policy-document", ALLOW_ALL]
    service.aws("iam", "put-user-policy", "--user-name", "ann", *policy)
    role = ["--role-name", "admin"]
    made = service.aws("iam", "create-role", *role, "--assume-role-policy-document", MFA)
    service.aws("iam", "put-role-policy", *role, *policy)
    serial = service.ctl("make-tokens")
    named = ["--user-name", "ann", "--serial-number", serial]
    service.aws("iam", "enable-mfa-device", *named, *codes(service.ctl("two-codes")))
    key = service.aws("iam", "create-access-key", "--user-name", "ann")["AccessKey"]
    anns = {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }
    assume = ["sts", "assume-role", "--role-session-name", "work", "--role-arn"]
    assert "(AccessDenied)" in service.refused(*assume, made["Role"]["Arn"], **anns)
    service.ctl("clock", "advance", "30 s")
    mfa = ["--serial-number", serial, "--token-code", service.ctl("press")]
    assumed = service.aws(*assume, made["Role"]["Arn"], *mfa, **anns)
    assert assumed["AssumedRoleUser"]["Arn"].endswith(":assumed-role/admin/work")
