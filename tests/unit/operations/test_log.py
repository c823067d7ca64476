"""A log says everything but secrets, and each operation has its own."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from pathlib import Path

import pytest

from machine.operations.log import hide, log_file, redacted, say
from machine.store.files import Files

LOGGER = logging.getLogger("machine.test")
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjE\n-----END OPENSSH PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"before {KEY} after", "before [private key] after"),
        ("cut off -----BEGIN PRIVATE KEY-----\nMIIE", "cut off [private key]"),
        ("proxy http://ada:secret@proxy.example:3128/", "proxy http://[hidden]@proxy.example:3128/"),
        ("an @ in it: http://ada:sec@ret@proxy.example/", "an @ in it: http://[hidden]@proxy.example/"),
        ("https://example.org/a@b", "https://example.org/a@b"),
        ("https://example.org?a=b@c", "https://example.org?a=b@c"),
        ("-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----"),
    ],
)
def test_keys_and_passwords_are_taken_out(text: str, shown: str) -> None:
    assert redacted(text) == shown


def test_what_is_a_secret_is_hidden_wherever_it_stands(tmp_path: Path) -> None:
    hide("canary-0815")
    with log_file(Files(str(tmp_path / "logs")), "one.log", object()) as path:
        LOGGER.info("the key is %s", "canary-0815")
        try:
            raise ValueError("not with canary-0815")
        except ValueError:
            LOGGER.exception("failed")
    text = Path(path).read_text()
    assert "canary" not in text
    assert text.count("[hidden]") >= 2  # the message, and the traceback
    assert Path(path).stat().st_mode & 0o777 == 0o600


def test_operations_side_by_side_do_not_read_each_other_s_lines(tmp_path: Path) -> None:
    logs, both_open = Files(str(tmp_path / "logs")), threading.Barrier(2)
    paths: dict[str, str] = {}

    def operation(name: str) -> None:
        with log_file(logs, f"{name}.log", object()) as path:
            paths[name] = path
            both_open.wait(10)
            LOGGER.info("this is %s", name)
            both_open.wait(10)

    threads = [threading.Thread(target=operation, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in ("a", "b"):
        lines = Path(paths[name]).read_text().splitlines()
        assert [line.rpartition(" ")[2] for line in lines] == [name]


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with log_file(Files(str(tmp_path / "file" / "logs")), "one.log", object()):
        LOGGER.info("goes nowhere")


def test_a_line_in_no_unicode_is_written_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Handlers that earlier tests have left would get it too, and pytest cannot send it from one process to another.
    monkeypatch.setattr(logging.getLogger("machine"), "handlers", [])
    operation = object()
    with log_file(Files(str(tmp_path / "logs")), "one.log", operation) as path:
        say(operation, "machine.test", "a file \udcff")
    assert Path(path).read_text().endswith("a file \\udcff\n")


def test_a_record_is_offered_to_no_more_logs_with_more_of_them_open(tmp_path: Path) -> None:
    """A fleet has fifty of them open at a time, and each record is looked at by every handler."""
    logs, handlers = Files(str(tmp_path / "logs")), logging.getLogger("machine").handlers
    with contextlib.ExitStack() as stack:
        stack.enter_context(log_file(logs, "0.log", object()))
        before = len(handlers)
        for number in range(1, 50):
            stack.enter_context(log_file(logs, f"{number}.log", object()))
        assert len(handlers) == before
        LOGGER.info("once")
    assert [each.name for each in (tmp_path / "logs").iterdir() if each.stat().st_size] == ["49.log"]


def test_old_logs_go(tmp_path: Path) -> None:
    logs = Files(str(tmp_path / "logs"))
    logs.touch("old.log")
    os.utime(logs.path("old.log"), (1, 1))
    with log_file(logs, "new.log", object()):
        pass
    assert logs.names() == ["new.log"]
