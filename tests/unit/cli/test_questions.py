"""What is asked on a terminal."""

from __future__ import annotations

import os
import signal

import click
import pytest

from machine.cli.context import cancelled_by_signals, confirmed


def test_ctrl_c_at_a_question_ends_it_and_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(click, "confirm", lambda *_, **__: os.kill(os.getpid(), signal.SIGINT))
    with cancelled_by_signals() as cancellation:
        before = signal.getsignal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            confirmed("Go on?", default=True)
        assert not cancellation.cancelled
        assert signal.getsignal(signal.SIGINT) is before, "the next one is for what is under way"
    assert "safe point" not in capsys.readouterr().err
