"""One epoll loop: descriptors, timers, and nothing that wakes up without a reason.

Rules: a handler does a bounded amount of work and returns (descriptors are level-triggered, so the rest comes in the
next turn, after everybody else's); a descriptor is closed through `close`, at the end of the turn, so that an event of
this turn never meets a new descriptor of the same number.
"""

from __future__ import annotations

import heapq
import select
import socket
import time
from typing import Callable

READ = select.EPOLLIN
WRITE = select.EPOLLOUT
BROKEN = select.EPOLLERR | select.EPOLLHUP
# Interest in nothing. Level-triggered, a peer's hang-up would still be reported in every turn, for as long as its last
# bytes wait for room on the other side: 100 % of a CPU. Edge-triggered it is reported once, and again when we resume.
PAUSED = select.EPOLLET
MAX_EVENTS = 128


class Timer:
    """A callback to come; `cancel` may be called any number of times."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        """Forget it."""
        self.callback = None


class _Watched:
    __slots__ = ("handler", "mask")

    def __init__(self, handler: Callable[[int], object], mask: int) -> None:
        self.handler, self.mask = handler, mask


class Loop:
    """Dispatches readiness and timers until `stop`."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, _Watched] = {}
        self._timers: list[tuple[float, int, Timer]] = []  # a heap
        self._sequence = 0
        self._closing: list[socket.socket] = []
        self._running = True

    def watch(self, descriptor: int, mask: int, handler: Callable[[int], object]) -> None:
        """Call ``handler(mask)`` when the descriptor is ready for what ``mask`` says, or broken."""
        self._watched[descriptor] = _Watched(handler, mask)
        self._epoll.register(descriptor, mask)

    def change(self, descriptor: int, mask: int) -> None:
        """Ask for something else; costs nothing when it is what was asked for before."""
        entry = self._watched.get(descriptor)
        if entry is not None and entry.mask != mask:
            entry.mask = mask
            self._epoll.modify(descriptor, mask)

    def close(self, sock: socket.socket) -> None:
        """Stop watching this socket now, and close it when this turn is over."""
        if self._watched.pop(sock.fileno(), None) is not None:
            self._epoll.unregister(sock.fileno())
        self._closing.append(sock)

    def later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call ``callback()`` after so many seconds."""
        timer = Timer(callback)
        self._sequence += 1
        heapq.heappush(self._timers, (time.monotonic() + seconds, self._sequence, timer))
        return timer

    def stop(self) -> None:
        """Return from `run` when this turn is over."""
        self._running = False

    def run(self) -> None:
        """Serve until `stop`."""
        while self._running:
            for descriptor, mask in self._epoll.poll(self._patience(), MAX_EVENTS):
                entry = self._watched.get(descriptor)
                if entry is not None:
                    entry.handler(mask)
            self._fire()
            if self._closing:
                closing, self._closing = self._closing, []
                for sock in closing:
                    sock.close()

    def _patience(self) -> float:
        timers = self._timers
        while timers and timers[0][2].callback is None:
            heapq.heappop(timers)
        return max(0.0, timers[0][0] - time.monotonic()) if timers else -1

    def _fire(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            callback = heapq.heappop(self._timers)[2].callback
            if callback is not None:
                callback()
