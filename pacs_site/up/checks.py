"""What can be seen to go wrong before anything is started."""

import contextlib
import os
import shutil
import socket
from pathlib import Path

from pacs_site.up.errors import UpError

GIGABYTE = 10**9


def ports_free(bind: str, ports: dict[str, int]) -> None:
    """Raise UpError naming each port that is taken, by whom, and the variable that moves it."""
    taken = []
    for variable, port in ports.items():
        try:
            family = socket.AF_INET6 if ":" in bind else socket.AF_INET
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((bind, port))
                probe.listen()
        except OSError as error:
            if error.errno in (99, 13):  # EADDRNOTAVAIL, EACCES
                taken.append(f"  {bind}:{port}: {error.strerror}; set ISOCENTER_BIND or {variable}")
                continue
            holder = holder_of(port)
            by = f" by {holder}" if holder else ""
            taken.append(f"  port {port} is in use{by}; choose another: {variable}={port + 1}")
    if taken:
        raise UpError("Isocenter cannot listen:\n" + "\n".join(taken))


def holder_of(port: int) -> str:
    """Return the name and id of the process that listens on a TCP port, where we may see it."""
    wanted = f"{port:04X}"
    inodes = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                words = line.split()
                if words[1].rpartition(":")[2] == wanted and words[3] == "0A":  # LISTEN
                    inodes.add(f"socket:[{words[9]}]")
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(str(link.readlink()) in inodes for link in (folder / "fd").iterdir()):
                return f"{(folder / 'comm').read_text().strip()} (process {folder.name})"
    return ""


def room_on_disk(home: Path, needed: int) -> None:
    """Raise UpError where fewer than `needed` bytes are free at the home."""
    place = home
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < needed:
        raise UpError(
            f"The disk of {home} has {free / GIGABYTE:.1f} GB free, and {needed / GIGABYTE:.1f} GB "
            "are needed. Make room, or set ISOCENTER_HOME to a folder on another disk."
        )


def writable(home: Path) -> None:
    """Raise UpError where the home cannot be made or written."""
    place = home
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK | os.X_OK):
        raise UpError(f"{place} may not be written by this user. Set ISOCENTER_HOME elsewhere.")


def tls_files(files: dict[str, str]) -> None:
    """Raise UpError where the files of DICOM over TLS cannot be used, naming which and why."""
    from apps.dimse.upper.tls import TlsFiles, TlsSetupError, load

    missing = [variable for variable, value in files.items() if not value]
    if len(missing) == len(files):
        return
    if missing:
        raise UpError(f"DICOM over TLS needs {', '.join(files)}. Not set: {', '.join(missing)}.")
    try:
        load(TlsFiles(*(Path(value) for value in files.values())))
    except TlsSetupError as error:
        raise UpError(f"DICOM over TLS cannot start: {error}.") from None
