"""In the guest: somebody at the console with a key on uhid; prints what the console showed."""

import subprocess
import sys
from pathlib import Path

VISIT = Path(__file__).with_name("console_visit.py")
SERVE = ["keys", "virtual", "serve", "--port", "uhid", "--key", "yubikey-5.7", "--"]

if __name__ == "__main__":
    subprocess.run(["modprobe", "uhid"], check=True)
    command = [sys.executable, "-m", "tokenkit", *SERVE, sys.executable, str(VISIT)]
    sys.exit(subprocess.run(command).returncode)
