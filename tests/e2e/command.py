"""The installed ``pymachine`` command, a store of its own, and docker clients pointed at its machines."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

PYMACHINE = str(Path(sys.executable).with_name("pymachine"))
TESTBED = Path(__file__).parent.parent / "testbed"


@dataclass
class Pymachine:
    """Runs commands as a user would."""

    store: Path
    environment: dict[str, str] = field(default_factory=dict)

    def environ(self, **more: str) -> dict[str, str]:
        """The environment of a command: the test's own, without what points a client elsewhere."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("DOCKER_", "MACHINE_"))}
        return {**kept, "PYMACHINE_HOME": str(self.store), **self.environment, **more}

    def __call__(
        self, *arguments: str, code: int | None = 0, stdin: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command; ``code`` is the exit code it must have, None: any."""
        done = subprocess.run(
            [PYMACHINE, *arguments],
            env=self.environ(**environment),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        if code is not None:
            assert done.returncode == code, f"{arguments} exited {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def docker_environ(self, name: str) -> dict[str, str]:
        """What ``eval "$(pymachine env NAME)"`` gives a shell."""
        printed = subprocess.run(
            ["sh", "-c", 'eval "$("$0" env --shell sh "$1")" && env -0', PYMACHINE, name],
            env=self.environ(),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        return dict(line.split("=", 1) for line in printed.split("\0") if line)


def debian_docker_client() -> str:
    """The path of Debian's docker client (20.10: it has BuildKit inside)."""
    return subprocess.run([TESTBED / "docker-client.sh"], capture_output=True, text=True, check=True).stdout.strip()


def busybox_image(target: Path) -> Path:
    """A tar for ``docker import`` with busybox in it."""
    subprocess.run([TESTBED / "busybox-image.sh", target], check=True)
    return target
