"""`make check`: lint, types, layers, migrations, production settings, the front end's checks."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from pacs_site.up.progress import WIDTH, say  # noqa: E402 - the checkout has to be on the path

BIN = Path(sys.executable).parent
PYTHON = [sys.executable]
PRODUCTION = {
    "ISOCENTER_PRODUCTION": "1",
    "ISOCENTER_SECRET_KEY": "only-for-the-check-" + "k3J9x2Lq" * 8,
    "ISOCENTER_ALLOWED_HOSTS": "pacs.hospital.example",
}
CHECKS: dict[str, tuple[list[str], dict[str, str]]] = {
    "ruff": ([str(BIN / "ruff"), "check"], {}),
    "ruff format": ([str(BIN / "ruff"), "format", "--check"], {}),
    "import layers": ([str(BIN / "lint-imports"), "--no-cache"], {}),
    "migrations": (
        [*PYTHON, "-W", "ignore::RuntimeWarning", "manage.py", "makemigrations", "--check"],
        {},
    ),
    "production settings": (
        [*PYTHON, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        PRODUCTION,
    ),
    "conformance statement": (
        [*PYTHON, "-W", "ignore", "manage.py", "conformance_statement", "--check"],
        {},
    ),
    "mypy": ([str(BIN / "mypy")], {}),
    "front end": ([*PYTHON, "-m", "pacs_site.up.frontend", "check"], {}),
}


def main() -> int:
    """Run every check, show the words of those that fail, return how many did."""
    ours = ("ISOCENTER_", "DATABASE_", "CELERY_", "ARCHIVE_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    failed = []
    with tempfile.TemporaryDirectory() as home:
        environment["ISOCENTER_HOME"] = home
        for name, (command, changes) in CHECKS.items():
            sys.stdout.write(f"  {name} ".ljust(WIDTH, "."))
            sys.stdout.flush()
            began = time.monotonic()
            result = subprocess.run(  # noqa: S603
                command,
                cwd=CHECKOUT,
                env=environment | changes,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            good = result.returncode == 0
            say(f" {time.monotonic() - began:6.1f} s  {'ok' if good else 'FAILED'}")
            if not good:
                failed.append(name)
                say(result.stdout)
    say(f"failed: {', '.join(failed)}" if failed else "all checks passed")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
