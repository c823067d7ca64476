"""What came of the same for many machines: each one's result, or the error that it ended in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from machine.errors import PymachineError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What came of one machine."""

    machine: str  # its name
    value: T | None = None  # None as well where it failed
    error: PymachineError | None = None  # None: it has succeeded

    @property
    def ok(self) -> bool:
        """Whether it has succeeded."""
        return self.error is None

    @property
    def result(self) -> T:
        """What came of it.

        Raises:
            PymachineError: it failed: its error.
        """
        if self.error is not None:
            raise self.error
        return cast(T, self.value)


class Outcomes(list[Outcome[T]]):
    """A list of them, in the order in which the machines were said, else in that of their names."""

    @property
    def ok(self) -> bool:
        """Whether all have succeeded; true of none."""
        return all(each.ok for each in self)

    @property
    def results(self) -> list[T]:
        """What came of those that have succeeded."""
        return [each.result for each in self if each.ok]

    @property
    def failed(self) -> list[Outcome[T]]:
        """Those that have not."""
        return [each for each in self if not each.ok]

    def raise_first(self) -> Outcomes[T]:
        """These outcomes, where all have succeeded.

        Raises:
            PymachineError: the first of the errors.
        """
        for each in self.failed:
            raise each.error or AssertionError("it has failed")
        return self
