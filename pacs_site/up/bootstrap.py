"""From a bare checkout to an environment: `.venv` with what requirements*.txt pin.

    python3 pacs_site/up/bootstrap.py [--dev] COMMAND...

makes or completes `.venv`, then becomes COMMAND, looked up in it. Only the standard library is
used here. What is installed already is not asked for again: a second call takes milliseconds.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
VENV = CHECKOUT / ".venv"
OLDEST = (3, 11)
SHOWN = 30  # lines of a failed program
NETWORK_WORDS = (
    "NewConnectionError",
    "Temporary failure in name resolution",
    "Name or service not known",
    "Network is unreachable",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ProxyError",
    "SSLError",
    "Connection refused",
)

if sys.version_info < OLDEST:
    sys.exit(
        "Isocenter needs Python 3.11 or newer; this is {}.{}. "
        "Install one, or name it: make up PYTHON=python3.11".format(*sys.version_info)
    )
sys.path.insert(0, str(CHECKOUT))

from pacs_site.up.errors import UpError  # noqa: E402 - the checkout has to be on the path
from pacs_site.up.progress import step  # noqa: E402


def digest(*names: str) -> str:
    """Return a digest of files of the checkout and of this Python."""
    total = hashlib.sha256(f"{sys.version_info[:2]}".encode())
    for name in names:
        total.update((CHECKOUT / name).read_bytes())
    return total.hexdigest()


def environment(*, dev: bool) -> None:
    """Make `.venv` where it is missing or of another Python, and install what changed."""
    python = VENV / "bin" / "python"
    if not _usable(python):
        with step("Python environment"):
            _make()
    runtime = digest("requirements.txt")
    wanted = {"runtime": runtime}
    if dev:
        wanted["dev"] = digest("requirements.txt", "requirements-dev.txt")
    stamp = VENV / ".isocenter-requirements"
    have = dict(line.split() for line in stamp.read_text().splitlines()) if stamp.exists() else {}
    if all(have.get(key) == value for key, value in wanted.items()):
        return
    with step("Python packages"):
        _install(python, "requirements-dev.txt" if dev else "requirements.txt")
    stamp.write_text("".join(f"{key} {value}\n" for key, value in (have | wanted).items()))


def _usable(python: Path) -> bool:
    code = f"import sys, pip; sys.exit(sys.version_info < {OLDEST})"
    try:
        result = subprocess.run([python, "-c", code], capture_output=True, check=False)  # noqa: S603
    except OSError:
        return False
    return result.returncode == 0


def _make() -> None:
    result = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "venv", "--clear", str(VENV)],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode == 0:
        return
    output = result.stdout + result.stderr
    if "ensurepip" in output:
        version = "{}.{}".format(*sys.version_info)
        raise UpError(
            "This Python has no venv. On Debian or Ubuntu: "
            f"apt-get install python{version}-venv   then run this again."
        )
    raise UpError(explain(output, f"The environment {VENV} could not be made."))


def _install(python: Path, requirements: str) -> None:
    result = subprocess.run(  # noqa: S603
        [
            *(str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"),
            *("--quiet", "--retries", "3", "--timeout", "20", "-r", str(CHECKOUT / requirements)),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PIP_ROOT_USER_ACTION": "ignore"},
    )
    if result.returncode:
        raise UpError(explain(result.stdout + result.stderr, "Packages could not be installed."))


def explain(output: str, what: str) -> str:
    """Return what to tell of a failed program: the cause where it is known, else its words."""
    if "No space left on device" in output:
        return f"{what} The disk is full; make room and run this again."
    if any(word in output for word in NETWORK_WORDS):
        return (
            f"{what} The package index cannot be reached: no network, or a proxy that is not set "
            "(https_proxy, or PIP_INDEX_URL for a mirror). What is installed is kept; run this "
            "again when there is a connection."
        )
    lines = output.strip().splitlines()
    if len(lines) > SHOWN:
        lines = [*lines[: SHOWN // 2], "...", *lines[-SHOWN // 2 :]]
    return "\n".join([what, *lines])


def main(arguments: list[str]) -> None:
    """Complete the environment, then become the command."""
    dev = arguments[:1] == ["--dev"]
    command = arguments[1:] if dev else arguments
    try:
        environment(dev=dev)
    except UpError as error:
        sys.exit(f"\n{error}")
    if command:
        os.chdir(CHECKOUT)
        program = VENV / "bin" / command[0]
        os.execv(program, [str(program), *command[1:]])  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
