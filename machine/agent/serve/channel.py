"""The two sides of a connection, alike to whoever moves bytes: `read_into`, `write`, `flush`, `unsent`, `end`.

Neither ever blocks. A write that the kernel does not take whole is kept, and `unsent` says how much; whoever reads from
the other side stops while it is not zero. So what waits in memory is one turn's worth per direction, and only while a
side is slow. The two buffers below are shared by all connections: what is in them is used before the handler returns.
"""

from __future__ import annotations

import socket
import ssl
from typing import Union

Bytes = Union[bytes, bytearray, memoryview]
TURN = 256 * 1024  # bytes taken from one socket in one turn: large enough for speed, small enough for fairness
RECORD = 16 * 1024
_MAX_PIECES = 512  # the kernel takes 1024 at once
CIPHERTEXT = memoryview(bytearray(TURN))
PLAINTEXT = memoryview(bytearray(TURN + 2 * RECORD))  # a turn can complete a record that was begun before it


class Vanished(Exception):
    """The other end is gone, without a proper goodbye or beyond writing to."""


class PlainChannel:
    """The engine's side: a Unix socket."""

    __slots__ = ("_unsent", "broken", "ended", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.ended = False  # the engine has sent all it will
        self.broken = False  # it takes nothing more; what it has sent can still be read
        self._unsent = memoryview(b"")

    @property
    def unsent(self) -> int:
        """How many bytes wait for the kernel to take them."""
        return len(self._unsent)

    def read_into(self, view: memoryview) -> int | None:
        """Read once. None: nothing now. 0: the engine ended its direction (what that means, the protocol says)."""
        try:
            count = self.sock.recv_into(view)
        except BlockingIOError:
            return None
        except OSError:
            count = 0  # it closed with something of ours unread: what it had sent before was read first
        self.ended = not count
        return count

    def write(self, *pieces: Bytes) -> None:
        """Send these, in this order."""
        if self.broken:
            return
        if len(pieces) > _MAX_PIECES:
            pieces = (b"".join(pieces),)
        if not self._unsent:
            try:
                sent = self.sock.sendmsg(pieces) if len(pieces) > 1 else self.sock.send(pieces[0])
            except BlockingIOError:
                sent = 0
            except OSError:
                self.broken = True
                return
            if sent == sum(map(len, pieces)):
                return
            self._unsent = memoryview(b"".join(pieces))[sent:]
        else:
            self._unsent = memoryview(b"".join((self._unsent, *pieces)))

    def flush(self) -> None:
        """Send what waits, as far as it goes."""
        if self._unsent:
            try:
                self._unsent = self._unsent[self.sock.send(self._unsent) :]
            except BlockingIOError:
                pass
            except OSError:
                self.broken = True
                self._unsent = memoryview(b"")

    def end(self) -> None:
        """End our direction; everything was flushed before."""
        try:
            self.sock.shutdown(1)
        except OSError:
            self.broken = True


class TlsChannel:
    """A client's side: ciphertext on a socket, an OpenSSL object between two memory BIOs, plaintext to us."""

    __slots__ = ("_incoming", "_outgoing", "_ssl", "_unsent", "ended", "sock")

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        self.sock = sock
        self.ended = False  # the client has sent close_notify
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._ssl = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._unsent = memoryview(b"")

    @property
    def unsent(self) -> int:
        """How many bytes wait for the kernel to take them."""
        return len(self._unsent) + self._outgoing.pending

    def handshake(self) -> bytes | None:
        """Go on with the handshake. None: not done yet; else the client's certificate, in DER.

        Raises:
            ssl.SSLError: it failed; the alert that says so is on its way.
            Vanished: the client is gone.
        """
        if self._receive() is None:
            return None
        try:
            self._ssl.do_handshake()
        except ssl.SSLWantReadError:
            return None
        finally:
            self.flush()
        return self._ssl.getpeercert(True) or b""

    def read_into(self, view: memoryview) -> int | None:
        """Read and decrypt one turn's worth. None: nothing now. 0: the client ended its direction.

        `ended` may become true together with the last bytes: look at it after every read.

        Raises:
            Vanished: it is gone: no close_notify, a broken record, or a reset.
        """
        if self.ended:
            self.discard()
            return None
        if self._incoming.pending == 0 and self._receive() is None:
            return None
        read, incoming, count = self._ssl.read, self._incoming, 0
        try:
            while incoming.pending:
                got: int = read(RECORD, view[count:])  # type: ignore[assignment]  # with a buffer it is a count
                if not got:
                    self.ended = True
                    break
                count += got
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        except ssl.SSLError as error:
            raise Vanished(str(error)) from None
        if self._outgoing.pending:
            self.flush()  # an answer of TLS itself, to a key update
        if count:
            return count
        return 0 if self.ended else None

    def discard(self) -> None:
        """Read and throw away, undecrypted.

        Raises:
            Vanished: there will be no more.
        """
        self._receive()
        self._incoming.read()

    def write(self, *pieces: Bytes) -> None:
        """Encrypt and send these, as few records as it takes.

        Raises:
            Vanished: the client is gone.
        """
        view = memoryview(b"".join(pieces) if len(pieces) > 1 else pieces[0])
        try:
            while view:
                view = view[self._ssl.write(view) :]
        except ssl.SSLError as error:
            raise Vanished(str(error)) from None
        if not self._unsent:
            self.flush()

    def flush(self) -> None:
        """Send what waits, as far as it goes.

        Raises:
            Vanished: the client is gone.
        """
        try:
            while True:
                if not self._unsent:
                    if not self._outgoing.pending:
                        return
                    self._unsent = memoryview(self._outgoing.read())
                sent = self.sock.send(self._unsent)
                self._unsent = self._unsent[sent:]
        except BlockingIOError:
            pass
        except OSError as error:
            raise Vanished(str(error)) from None

    def end(self) -> None:
        """Say close_notify: we send no more, and still read.

        OpenSSL's second look, which Python takes at once, would swallow a record that waits to be read; so this is
        called when everything that came in has been decrypted (`read_into` always leaves it so).
        """
        try:
            self._ssl.unwrap()
        except ssl.SSLError:
            pass  # "want read": the other side's close_notify is not there yet, which is what half-closed means
        self.flush()

    def _receive(self) -> int | None:
        try:
            count = self.sock.recv_into(CIPHERTEXT)
        except BlockingIOError:
            return None
        except OSError as error:
            raise Vanished(str(error)) from None
        if not count:
            raise Vanished("the connection was closed")
        self._incoming.write(CIPHERTEXT[:count])
        return count
