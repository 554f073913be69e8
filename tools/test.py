"""`make test`, `make prove`: the tests, with the foreign programs they need, from a bare checkout.

`make test` leaves out what is marked `prove` (the long proofs); `make prove` runs only that. Words
after `--` or in PYTEST go to pytest.
"""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from pacs_site.up import frontend  # noqa: E402 - the checkout has to be on the path
from pacs_site.up.errors import UpError  # noqa: E402
from pacs_site.up.progress import say, step  # noqa: E402

# A program that shows that a Debian package is there, and the package.
PROGRAMS = {
    "storescu": "dcmtk",
    "chromium": "chromium",
    "Orthanc": "orthanc",
    "pdftotext": "poppler-utils",
    "strace": "strace",
    "dciodvfy": "dicom3tools",
}
BESIDE = {
    "chromium": ["fonts-inter", "fonts-noto-core", "fonts-noto-cjk"],
    "orthanc": ["orthanc-dicomweb"],
}
NO_TESTS = 5  # pytest's exit code where it collected nothing


def missing_packages() -> list[str]:
    """Return the Debian packages whose programs are not here."""
    path = f"/usr/bin{os.pathsep}/usr/sbin"  # not the environment's programs of the same name
    absent = [
        package for program, package in PROGRAMS.items() if not shutil.which(program, path=path)
    ]
    return [name for package in absent for name in (package, *BESIDE.get(package, []))]


def foreign_programs() -> None:
    """Install them where we may, else say what will be skipped."""
    packages = missing_packages()
    if not packages:
        return
    words = f"apt-get install -y {' '.join(packages)}"
    apt = shutil.which("apt-get")
    if os.geteuid() != 0 or apt is None:
        say(f"  Foreign programs are missing; their tests are skipped. As root: {words}")
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with step("Debian packages"):
        for command in (
            [apt, "update", "-q"],
            [apt, "install", "-y", "-q", "--no-install-recommends", *packages],
        ):
            result = subprocess.run(  # noqa: S603
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
        if result.returncode:
            say("\n" + result.stdout[-2000:])
            say(f"  {words} failed; the tests that need these programs are skipped.")
    # Debian's Orthanc starts itself as a service; the tests start their own.


def main(arguments: list[str]) -> int:
    """Run pytest and return its status; that nothing was tested is a failure."""
    prove = arguments[:1] == ["prove"]
    extra = shlex.split(os.environ.get("PYTEST", "")) + arguments[1 if prove else 0 :]
    foreign_programs()
    try:
        frontend.build()
    except UpError as error:
        say(f"\n{error}")
        return 1
    selection = "prove" if prove else "not prove"
    command = [sys.executable, "-m", "pytest", "-m", selection, *extra]
    status = subprocess.run(command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, check=False).returncode  # noqa: S603
    if status == NO_TESTS:
        say("Nothing was tested.")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
