"""Commands on a host: what goes in, what comes out, and that nothing waits for ever."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from machine.deadline import Cancellation, Deadline
from machine.errors import Cancelled, DeadlineExceeded, HostUnreachable
from machine.ssh.connection import Connection
from tests.unit.ssh.conftest import Connect, let_in
from tests.unit.ssh.sshd import serving

MEGABYTE = 1 << 20


@pytest.fixture
def connection(log_in: Connect) -> Connection:
    return log_in()


def test_output_errors_and_exit_status_come_back(connection: Connection) -> None:
    done = connection.run("echo out; echo err >&2; exit 7", Deadline(10))
    assert (done.exit_status, done.stdout, done.stderr) == (7, b"out\n", b"err\n")


def test_stdin_is_sent_whole_and_ends(connection: Connection) -> None:
    assert connection.run("cat", Deadline(10), stdin=b"\0\xff text").stdout == b"\0\xff text"
    assert connection.run("wc -c", Deadline(10)).stdout.strip() == b"0"


def test_much_data_goes_both_ways_at_once(connection: Connection) -> None:
    data = os.urandom(5 * MEGABYTE)
    assert connection.run("cat", Deadline(30), stdin=data).stdout == data


def test_much_data_on_stderr_holds_nothing_up_and_its_end_is_kept(connection: Connection) -> None:
    done = connection.run("head -c 4000000 /dev/zero >&2; echo the end >&2; echo out", Deadline(30))
    assert done.stdout == b"out\n"
    assert done.stderr.endswith(b"the end\n")
    assert len(done.stderr) <= 65536


def test_a_command_that_ends_without_reading_its_stdin_tells_its_status(connection: Connection) -> None:
    done = connection.run("head -c 3; echo bye >&2; exit 4", Deadline(30), stdin=b"abc" + bytes(5 * MEGABYTE))
    assert (done.exit_status, done.stdout, done.stderr) == (4, b"abc", b"bye\n")


def test_many_commands_share_one_connection(connection: Connection) -> None:
    threads_say: list[bytes] = []
    threads = [
        threading.Thread(target=lambda n=number: threads_say.append(connection.run(f"echo {n}", Deadline(20)).stdout))
        for number in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(threads_say) == [b"0\n", b"1\n", b"2\n", b"3\n", b"4\n"]


def test_a_killed_command_has_the_status_minus_one(connection: Connection) -> None:
    assert connection.run("kill -9 $$", Deadline(10)).exit_status == -1


def test_a_deadline_ends_a_silent_command(connection: Connection) -> None:
    begun = time.monotonic()
    with pytest.raises(DeadlineExceeded, match="the host's answer"):
        connection.run("sleep 60", Deadline(0.3))
    assert time.monotonic() - begun < 3
    assert connection.run("echo still here", Deadline(10)).stdout == b"still here\n"


def test_a_deadline_ends_a_command_that_reads_nothing(connection: Connection) -> None:
    with connection.open("sleep 60", Deadline(0.5)) as channel, pytest.raises(DeadlineExceeded, match="to read on"):
        channel.send(bytes(5 * MEGABYTE))


def test_cancelling_ends_a_silent_command(connection: Connection) -> None:
    cancellation = Cancellation()
    threading.Timer(0.1, cancellation.cancel).start()
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        connection.run("sleep 60", Deadline(60, cancellation=cancellation))
    assert time.monotonic() - begun < 5


def test_a_host_that_freezes_before_it_starts_the_command_ends_with_the_deadline(
    log_in: Connect, key: Path, tmp_path: Path
) -> None:
    with serving(tmp_path / "frozen") as server:
        let_in(server, key)
        connection = log_in(server)
        pids = [int(part) for part in connection.run("echo $PPID", Deadline(10)).stdout.split()]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        begun = time.monotonic()
        with pytest.raises(HostUnreachable):
            connection.open("true", Deadline(0.3))
        assert time.monotonic() - begun < 5
        for pid in pids:
            os.kill(pid, signal.SIGKILL)


def test_a_connection_that_is_cut_ends_the_command(log_in: Connect, key: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "cut") as server:
        let_in(server, key)
        connection = log_in(server)
        with connection.open("echo $PPID; sleep 60", Deadline(20)) as channel:
            os.kill(int(channel.recv(100)), signal.SIGKILL)
            assert channel.recv(100) == b""
            assert channel.exit_status() == -1
    with pytest.raises(HostUnreachable, match="the SSH connection was lost"):
        connection.open("true", Deadline(5))


def test_a_stream_through_the_host_reaches_what_listens_there(connection: Connection) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stream = connection.stream_to("127.0.0.1", listener.getsockname()[1], Deadline(10))
        sock, _ = listener.accept()
        with sock:
            sock.sendall(b"hello")
            assert stream.recv(5) == b"hello"
        stream.close()


def test_a_stream_to_a_closed_port_says_that_it_failed_behind_the_bastion(connection: Connection) -> None:
    with pytest.raises(HostUnreachable, match="cannot be reached from the bastion"):
        connection.stream_to("127.0.0.1", 1, Deadline(10))
