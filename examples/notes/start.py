#!/usr/bin/env python3
"""Starts all of it: Latchkey, the API with the page, and the worker. Ctrl-C ends them.

`start.py latchkey …` runs Latchkey's command line on the same store, as in `start.py latchkey users list`.
It needs Node.js with npm, and Python 3.10 or newer; what else there is, it installs into this checkout.
"""

import hashlib
import os
import secrets
import signal
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from pathlib import Path
from urllib.request import urlopen

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DATA, VENV = HERE / "data", HERE / ".venv"
PYTHON = VENV / "bin" / "python"
# npm brings the version that Latchkey wants.
NODE = ROOT / "node_modules" / ".bin" / "node"
ISSUER = os.environ.get("LATCHKEY_ISSUER", "http://127.0.0.1:3000")
URL = os.environ.get("AUDIENCE", "http://127.0.0.1:8000")


def install() -> None:
    """Once; the marker is written last, so that what was broken off begins anew."""
    if not NODE.exists():
        print("Installing Latchkey …", flush=True)
        subprocess.run(["npm", "ci", "--no-progress"], cwd=ROOT, check=True)
    marker = VENV / "complete"
    if marker.exists():
        return
    print("Installing FastAPI …", flush=True)
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", VENV])
    if made.returncode != 0:
        sys.exit("Python's venv module is needed (on Debian and Ubuntu: apt-get install python3-venv)")
    verifier = ROOT / "packages" / "latchkey-verifier-python"
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, verifier, "--requirement", HERE / "requirements.txt"], check=True)
    marker.touch()


def keep(name: str, make) -> str:
    """The text of a file in data/, made at the first start; nobody else may read it."""
    file = DATA / name
    if not file.exists():
        with open(file, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as new:
            new.write(make())
    return file.read_text()


def environment() -> dict[str, str]:
    DATA.mkdir(mode=0o700, exist_ok=True)
    keep("latchkey-secret", lambda: secrets.token_urlsafe(32))
    # Latchkey is given the hash only, as `latchkey clients secret` prints it.
    digest = urlsafe_b64encode(hashlib.sha256(worker_secret().encode()).digest()).decode().rstrip("=")
    (DATA / "worker-hash").write_text(f"sha256:{digest}")
    return {**os.environ, "LATCHKEY_CONFIG": str(HERE / "latchkey.yaml")}


def worker_secret() -> str:
    """Only the worker's environment has it: whoever has it can come as the worker."""
    return keep("worker-secret", lambda: secrets.token_urlsafe(32))


def answers(url: str) -> bool:
    try:
        return urlopen(url, timeout=1).status == 200
    except OSError:
        return False


def run_all() -> None:
    latchkey, port = [NODE, ROOT / "bin" / "latchkey.js", "serve"], URL.rpartition(":")[2]
    api = [PYTHON, "-m", "uvicorn", "main:app", "--port", port, "--log-level", "warning"]
    env = environment()
    with open(DATA / "latchkey.log", "a") as log:
        running = [
            subprocess.Popen(latchkey, cwd=HERE, env=env, stdout=log, stderr=log),
            subprocess.Popen(api, cwd=HERE, env=env),
        ]
    told = False
    try:
        while not (answers(f"{ISSUER}/.well-known/jwks.json") and answers(URL)):
            stop_if_one_ended(running)
            time.sleep(0.2)
        secret = {"WORKER_SECRET": worker_secret()}
        running.append(subprocess.Popen([PYTHON, "worker.py"], cwd=HERE, env={**env, **secret}))
        print(f"Open {URL} (Ctrl-C ends it; Latchkey's log: {DATA / 'latchkey.log'})", flush=True)
        while True:
            stop_if_one_ended(running)
            time.sleep(0.5)
    except KeyboardInterrupt:
        # The terminal has told all of them; a second signal would break off what they finish.
        told = True
    finally:
        for process in running:
            if not told:
                process.terminate()
        for process in running:
            process.wait()


def stop_if_one_ended(running: list[subprocess.Popen]) -> None:
    for process in running:
        if process.poll() is not None:
            sys.exit(f"{Path(process.args[1]).name} has ended; see above, or {DATA / 'latchkey.log'}")


def main() -> None:
    # As Ctrl-C does it: what was started ends, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    install()
    if sys.argv[1:2] == ["latchkey"]:
        command = [NODE, ROOT / "bin" / "latchkey.js", *sys.argv[2:]]
        sys.exit(subprocess.run(command, cwd=HERE, env=environment()).returncode)
    if sys.argv[1:]:
        sys.exit(__doc__)
    run_all()


if __name__ == "__main__":
    main()
