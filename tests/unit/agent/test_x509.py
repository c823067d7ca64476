"""The agent's own reader of certificates agrees with a real one, and takes nothing else for a date."""

from __future__ import annotations

import datetime

import pki
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from machine.agent.x509 import Certificate, Malformed, certificates, public_key


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


@pytest.mark.parametrize("key", [None, rsa.generate_private_key(65537, 2048).public_key()])
def test_a_certificate_is_for_the_key_it_was_made_for_and_for_no_other(key: rsa.RSAPublicKey | None) -> None:
    (der,) = certificates(pki.Authority().server(public_key=key))
    made = x509.load_der_x509_certificate(der).public_key()
    assert Certificate(der).key == public_key(made.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (other,) = certificates(pki.Authority().client())
    assert Certificate(der).key != Certificate(other).key


def test_text_around_and_between_certificates_is_no_part_of_them() -> None:
    one, two = pki.Authority("one"), pki.Authority("two")
    found = certificates(b"one:\n" + one.pem + b"\r\ntwo:\r\n" + two.pem.replace(b"\n", b"\r\n"))
    assert found == [authority.certificate.public_bytes(Encoding.DER) for authority in (one, two)]


@pytest.mark.parametrize(("old", "new"), [(b"-----END", b"-----"), (b"MII", b"M!I"), (b"MII", b"MI"), (b"=\n", b"\n")])
def test_a_damaged_pem_is_refused(old: bytes, new: bytes) -> None:
    pem = next(
        pem for at in range(100) if old in (pem := pki.Authority("a" * (at + 1)).pem)
    )  # one that has the padding
    with pytest.raises(Malformed):
        certificates(pem.replace(old, new))


def test_a_certificate_with_nothing_in_it_is_refused() -> None:
    with pytest.raises(Malformed):
        Certificate(b"\x30\x00")
