"""Children by the hundred: a process that has imported everything once, and forks one for every command line.

A child is a real process: its own session, its own standard streams, killed as any other. Starting one costs what a
fork costs, a few milliseconds, where a fresh Python with the same imports takes half a second.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, repr=False)
class Ended:
    """How one command line ended."""

    arguments: tuple[str, ...]
    code: int  # negative: the signal that ended it
    out: str
    err: str
    killed: bool = False  # the child died in it

    @property
    def said(self) -> str:
        """All that an operator saw."""
        return self.out + self.err

    def __repr__(self) -> str:
        return f"{' '.join(self.arguments)} exited {self.code}\n{self.out}{self.err}"


@dataclass(frozen=True)
class Child:
    """A child that runs, or has stopped itself."""

    pid: int
    place: str


class Nursery:
    """Forks children and waits for them; one request at a time."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery"],
            cwd=ROOT,
            env={**environment, "PYTHONPATH": f"{ROOT}{os.pathsep}{environment.get('PYTHONPATH', '')}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(
        self,
        commands: Sequence[Sequence[str]],
        environment: Mapping[str, str],
        *,
        point: str | None = None,
        action: str = "",
        record: bool = False,
        prelude: str | None = None,
    ) -> Child:
        """Fork a child that runs these command lines one after the other.

        Args:
            environment: what it has in its environment beside that of the nursery.
            point: where ``action`` happens: "kill", or the name of any other signal, which it sends itself.
            record: write down every point it comes through.
            prelude: ``module:function``, called in the child before anything else.
        """
        place = tempfile.mkdtemp(prefix="child-", dir=environment.get("NURSERY"))
        said = self._ask(
            do="start",
            place=place,
            commands=[list(each) for each in commands],
            environment=dict(environment),
            point=point,
            action=action,
            record=record,
            prelude=prelude,
        )
        return Child(said["pid"], place)

    def wait(self, child: Child, *, stopped: bool = False) -> list[Ended]:
        """Wait until the child has ended; with ``stopped``, until it has stopped itself (then nothing is returned)."""
        status = self._ask(do="wait", pid=child.pid, stopped=stopped)
        if "stopped" in status:
            return []
        place = Path(child.place)
        ended = []
        for path in sorted(place.glob("command-*"), key=lambda each: int(each.name.partition("-")[2])):
            code = path / "code"
            died = not code.exists()
            ended.append(
                Ended(
                    tuple(json.loads((path / "arguments").read_text())),
                    status["code"] if died else int(code.read_text()),
                    (path / "out").read_text(),
                    (path / "err").read_text(),
                    died,
                )
            )
        return ended

    def resume(self, child: Child) -> None:
        """Let a child go on that has stopped itself."""
        os.kill(child.pid, signal.SIGCONT)

    def end(self, child: Child) -> None:
        """End a child that may have ended already."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)

    def run(self, *commands: Sequence[str], environment: Mapping[str, str], **options: Any) -> list[Ended]:
        """Start a child and wait for its end."""
        return self.wait(self.start(commands, environment, **options))

    def points(self, child: Child) -> list[tuple[str, str]]:
        """The points that a child with ``record`` came through, each with a fingerprint of the world at that moment."""
        lines = (Path(child.place) / "points").read_text().splitlines()
        return [(name, fingerprint) for fingerprint, _, name in (line.partition(" ") for line in lines)]

    def leaks(self, child: Child) -> bool:
        """Whether an ended child has left processes in its group."""
        try:
            os.killpg(child.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def _ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def __enter__(self) -> Nursery:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)
        if self._process.stdout is not None:
            self._process.stdout.close()


def _serve() -> None:
    """The nursery itself."""
    # Whatever a command imports when it is used, imported once.
    import gc
    import importlib
    import pkgutil

    import machine

    for found in pkgutil.walk_packages(machine.__path__, "machine."):
        if not found.name.startswith(("machine.agent", "machine.testing.contract")) and "__main__" not in found.name:
            with contextlib.suppress(Exception):  # whoever uses it will say so
                importlib.import_module(found.name)
    import machine.hot
    from machine.bootstrap.bytecode import agent_bytecode
    from machine.bootstrap.stub import stub
    from tests.faults import points, scripted  # noqa: F401

    agent_bytecode()  # and the bundle: the same bytes for all
    stub()
    for name in os.environ.get("NURSERY_IMPORTS", "").split():
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # or the first collection in a child copies every page of it
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "start":
            answer = {"pid": _fork(request)}
        else:
            flags = os.WUNTRACED if request["stopped"] else 0
            _, status = os.waitpid(request["pid"], flags)
            answer = {"stopped": True} if os.WIFSTOPPED(status) else {"code": os.waitstatus_to_exitcode(status)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _fork(request: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        os.setsid()
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)  # also one that a failed test has left asleep
        code = _child(request)
    except BaseException as error:  # noqa: BLE001 - whatever it is, a forked child must not return
        import traceback

        Path(request["place"], "trouble").write_text("".join(traceback.format_exception(error)))
    finally:
        os._exit(code)


def _child(request: dict[str, Any]) -> int:
    import importlib

    from tests.faults import points

    place = Path(request["place"])
    os.environ.update(request["environment"])
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if request["prelude"]:
        module, _, function = request["prelude"].partition(":")
        getattr(importlib.import_module(module), function)()
    points.install(request["point"], request["action"], place / "points" if request["record"] else None)
    code = 0
    for number, arguments in enumerate(request["commands"]):
        directory = place / f"command-{number}"
        directory.mkdir()
        (directory / "arguments").write_text(json.dumps(arguments))
        code = _run(directory, arguments)
        (directory / "code").write_text(str(code))
    return code


def _run(directory: Path, arguments: list[str]) -> int:
    """One command line, as the console script runs it."""
    from machine.hot import main

    for number, name in ((1, "out"), (2, "err")):
        descriptor = os.open(directory / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.argv = ["pymachine", *arguments]
    try:
        return main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - shown, as Python itself would
        import traceback

        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


if __name__ == "__main__":
    _serve()
