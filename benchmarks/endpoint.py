"""The endpoint: the stock docker client through the agent, and through the TLS of the very same dockerd."""

from __future__ import annotations

import contextlib
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.lab import Endpoint, Lab
from benchmarks.row import Row
from benchmarks.timing import interleaved, timed

_SIZE = 1_000_000_000
_MB = _SIZE / 1_000_000
_ASKED_PER_RUN = 20
_ASKED_LOADED = 10
_DOCKERD = "dockerd's own TLS"


def quiet(lab: Lab) -> Iterator[Row]:
    """`docker ps`, nothing else going on."""
    agent, dockerd = lab.agent, lab.dockerd
    cases = {"agent": _asking(lab, agent), "dockerd": _asking(lab, dockerd)}
    samples = interleaved(lab.runs * _ASKED_PER_RUN, cases)
    yield _difference("docker ps", samples["agent"], samples["dockerd"], 2.0)


def loaded(lab: Lab) -> Iterator[Row]:
    """`docker ps` while an upload saturates the one that is asked."""
    agent, dockerd, target = lab.agent, lab.dockerd, _upload_target(lab)

    def asked(endpoint: Endpoint) -> list[float]:
        with _saturated(lab, endpoint, target):
            return [_asking(lab, endpoint)() for _ in range(_ASKED_LOADED)]

    samples: dict[str, list[float]] = {"agent": [], "dockerd": []}
    for turn in range(4 * lab.runs):  # short ones: the spread is wide
        for name, endpoint in (("agent", agent), ("dockerd", dockerd))[:: -1 if turn % 2 else 1]:
            samples[name] += asked(endpoint)
    yield _difference("docker ps during an upload", samples["agent"], samples["dockerd"], 10.0)


def down(lab: Lab) -> Iterator[Row]:
    """1 GB from the host: `docker export`."""
    target = _upload_target(lab)
    lab.docker(lab.agent, "exec", target, "dd", "if=/dev/zero", "of=/big", "bs=1000000", f"count={_MB:.0f}")
    yield _throughput(lab, "1 GB down (docker export)", 0.8, lambda _: ["export", target], "/dev/null")
    lab.docker(lab.agent, "exec", target, "sh", "-c", ": >/big")


def into_run(lab: Lab) -> Iterator[Row]:
    """1 GB into `docker run -i`."""
    source = lab.directory / "zeros"
    with source.open("wb") as file:
        file.truncate(_SIZE)
    command = ["run", "-i", "--rm", lab.image, "sh", "-c", "cat >/dev/null"]
    yield _throughput(lab, "1 GB into docker run -i", 0.8, lambda _: command, str(source))


def up(lab: Lab) -> Iterator[Row]:
    """1 GB to the host: `docker cp -`, which is a PUT of an archive, onto a file system in memory."""
    target = _upload_target(lab)
    command = ["cp", "-", f"{target}:/memory"]
    yield _throughput(lab, "1 GB up (docker cp)", 0.7, lambda _: command, str(_archive(lab)))


def _throughput(lab: Lab, case: str, bar: float, command: Callable[[Endpoint], list[str]], stdin: str) -> Row:
    agent, dockerd = lab.agent, lab.dockerd

    def moving(endpoint: Endpoint) -> Callable[[], float]:
        return lambda: _MB / timed([lab.client, *command(endpoint)], environ=endpoint.environ, stdin=stdin)

    samples = interleaved(lab.runs, {"agent": moving(agent), "dockerd": moving(dockerd)})
    return Row(
        case=case, samples=samples["agent"], unit="MB/s", bar=bar, at_least=True,
        limit=_DOCKERD, limit_samples=samples["dockerd"],
    )  # fmt: skip


def _asking(lab: Lab, endpoint: Endpoint) -> Callable[[], float]:
    return lambda: timed([lab.client, "ps"], environ=endpoint.environ, scale=1000)


def _difference(case: str, ours: list[float], limit: list[float], bar: float) -> Row:
    return Row(case=case, samples=ours, unit="ms", bar=bar, difference=True, limit=_DOCKERD, limit_samples=limit)


def _upload_target(lab: Lab) -> str:
    """A running container; what is copied to its ``/memory`` stays in memory."""
    name = "target"
    if name not in lab.docker(lab.agent, "ps", "--format", "{{.Names}}").split():
        options = ["--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", "o=size=2g"]
        lab.docker(lab.agent, "volume", "create", *options, "memory")
        lab.docker(lab.agent, "run", "-d", "--name", name, "-v", "memory:/memory", lab.image, "sleep", "100000")
    return name


def _archive(lab: Lab) -> Path:
    """A tar with one file of 1 GB: holes, so that reading it takes nothing from the disk."""
    path = lab.directory / "big.tar"
    if not path.exists():
        head = tarfile.TarInfo("big")
        head.size = _SIZE
        with path.open("wb") as file:
            file.write(head.tobuf())
            file.truncate(512 + -(-_SIZE // 512) * 512 + 1024)
    return path


@contextlib.contextmanager
def _saturated(lab: Lab, endpoint: Endpoint, target: str) -> Iterator[None]:
    """One upload after the other, in the background."""
    over = threading.Event()
    uploads: list[subprocess.Popen[bytes]] = []

    def upload() -> None:
        while not over.is_set():
            with _archive(lab).open("rb") as source:
                process = subprocess.Popen(
                    [lab.client, "cp", "-", f"{target}:/memory"], env=endpoint.environ, stdin=source,
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )  # fmt: skip
                uploads.append(process)
                process.wait()

    thread = threading.Thread(target=upload)
    thread.start()
    try:
        time.sleep(0.3)
        yield
    finally:
        over.set()
        for process in uploads:
            process.kill()
        thread.join()
