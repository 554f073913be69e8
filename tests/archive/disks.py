"""File systems of our own, for tests that fill one or cut its power; skipped where not allowed."""

import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

# linux/fs/ext4/ext4.h: EXT4_IOC_SHUTDOWN; the last flag gives up what the journal has not written
EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2


def _run(*words: str | Path) -> None:
    """Run a program that needs root; skips with its words where it may not."""
    if shutil.which(str(words[0]), path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None:
        pytest.skip(f"{words[0]} is not here, and a file system of our own needs it")
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        why = f"a file system of our own needs the right to mount (uid {os.geteuid()}): "
        pytest.skip(why + done.stderr.strip())


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount a tmpfs of so many MiB at the folder; skips where we may not."""
    folder.mkdir(parents=True, exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "tmpfs", folder)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def resize(folder: Path, megabytes: int) -> None:
    """Make a small disk larger."""
    subprocess.run(["mount", "-o", f"remount,size={megabytes}m", str(folder)], check=True)


@dataclass
class Ext4:
    """An ext4 in a file, mounted at a folder; its power can be cut."""

    image: Path
    folder: Path

    def cut_power(self) -> None:
        """Lose at once whatever was not made durable; every later write and sync fails."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def users(self) -> set[int]:
        """Return the processes that have something of it open, or run from it."""
        inside = f"{self.folder}/"
        found = set()
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it ended meanwhile
                links = [folder / "exe", folder / "cwd", *(folder / "fd").iterdir()]
                if any(f"{link.readlink()}/".startswith(inside) for link in links):
                    found.add(int(folder.name))
        return found - {os.getpid()}

    def remount(self) -> None:
        """Mount it as after a reboot: its journal is replayed; whoever had it open has ended."""
        subprocess.run(["umount", str(self.folder)], check=True)
        subprocess.run(["mount", "-o", "loop", str(self.image), str(self.folder)], check=True)


@contextmanager
def ext4_disk(image: Path, folder: Path, megabytes: int) -> Iterator[Ext4]:
    """Mount a fresh ext4 of so many MiB at the folder; skips where we may not."""
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    try:
        _run("mkfs.ext4", "-q", "-F", image)
        folder.mkdir(parents=True, exist_ok=True)
        _run("mount", "-o", "loop", image, folder)
        try:
            (folder / "lost+found").rmdir()
            yield Ext4(image, folder)
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
    finally:
        image.unlink()
