"""Run a program that ends when its supervisor ends, however that ends.

    python -m pacs_site.up.leash SIGNAL ACCOUNT PROGRAM ARGUMENTS...

SIGNAL (TERM, INT) is what the kernel sends when the parent dies; ACCOUNT is `-`, or the account
to become. Nothing of this remains: the process becomes PROGRAM.
"""

import os
import pwd
import signal
import sys

from pacs_site.up.user import die_with_parent

KEPT = ("PATH", "LC_ALL", "ISOCENTER_SUPERVISED")  # no secret of ours for another account


def main(signal_name: str, account: str, command: list[str]) -> None:
    """Become `command`."""
    environment = dict(os.environ)
    if account != "-":
        entry = pwd.getpwnam(account)
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
        os.chdir("/")  # where we come from may be closed to this account
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    die_with_parent(signal.Signals[f"SIG{signal_name}"])  # a change of account would undo it
    os.execve(command[0], command, environment)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
