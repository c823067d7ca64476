"""The agent's own reader of certificates agrees with a real one, and takes nothing else for a date."""

from __future__ import annotations

import datetime

import pki
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from machine.agent.x509 import Certificate, Malformed


def _certificate(days: float) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pki.Authority().client(days=days))


@pytest.mark.parametrize("days", [1, 397, 36500])  # the last ends after 2050, and is written in the longer form
def test_dates_are_read_as_they_were_written(days: float) -> None:
    made = _certificate(days)
    read = Certificate(made.public_bytes(Encoding.DER))
    assert read.not_before == made.not_valid_before_utc.timestamp()
    assert read.not_after == made.not_valid_after_utc.timestamp()
    assert datetime.datetime.fromtimestamp(read.not_after, datetime.timezone.utc) == made.not_valid_after_utc


@pytest.mark.parametrize(
    "wrong",
    [b"990231000000Z", b"991301000000Z", b"9901010000 0Z", b"9901010000000", b"99010100000+Z", b"\xb290101000000Z"],
)
def test_what_is_no_date_is_refused(wrong: bytes) -> None:
    made = _certificate(397)
    good = made.not_valid_before_utc.strftime("%y%m%d%H%M%SZ").encode()
    der = made.public_bytes(Encoding.DER)
    assert der.count(good) == 1
    with pytest.raises(Malformed, match="not a time"):
        Certificate(der.replace(good, wrong))
