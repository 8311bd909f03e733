"""The AWS CLI walks through the life of MFA devices, against ``tokenkit serve``."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

AWS = shutil.which(
    "aws", path=os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
)
pytestmark = pytest.mark.skipif(AWS is None, reason="pip install awscli")
DEADLINE_S = 120


class Service:
    """A service with a simulated clock; ``aws`` asks it as root, or with other credentials."""

    def __init__(self, folder: Path, facts: dict[str, Any]) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            **facts["environment"],
            "AWS_CONFIG_FILE": str(folder / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
            "AWS_PAGER": "",
            "AWS_MAX_ATTEMPTS": "1",
            "TOKENKIT_CONTROL": facts["control"],
        }

    def aws(self, *arguments: str, **environment: str) -> Any:
        done = self._run(*arguments, **environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    def refused(self, *arguments: str, **environment: str) -> str:
        done = self._run(*arguments, **environment)
        assert done.returncode == 254, (done.stdout, done.stderr)
        return done.stderr.strip()

    def ctl(self, *arguments: str) -> Any:
        command = [sys.executable, "-m", "tokenkit", "serve", "ctl", *arguments, "--json"]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=DEADLINE_S
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def _run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        assert AWS is not None
        return subprocess.run(
            [AWS, *arguments],
            env={**self.environment, **environment},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )
