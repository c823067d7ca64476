"""What an hour of an instance costs: on demand by AWS's Price List, on the spot market by what EC2 says it is now.

What cannot be found out is said and never guessed: where software is billed with an instance, no list has its tenancy,
the credentials may not ask, or the service is not AWS. Prices are those of the list, without disks, traffic, addresses,
taxes, savings plans and reservations.

https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSpotPriceHistory.html
"""

from __future__ import annotations

import json
import queue
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, ReadTimeoutError

from machine.deadline import Deadline
from machine.driver import Price
from machine.drivers.aws.account import QUICK, Account
from machine.drivers.aws.errors import FORBIDDEN, code_of
from machine.drivers.aws.launch import ON_DEMAND, SPOT
from machine.errors import PymachineError
from machine.model import Offering

LINUX = "Linux/UNIX"
_TENANCIES = {"default": "Shared", "dedicated": "Dedicated"}  # EC2's word -> the list's; a host is billed as a whole
_DAY, _SPOT, _AGAIN = 24 * 3600.0, 600.0, 60.0  # seconds: how long a price lasts, and that there is none
_AT_ONCE = 8


def offering(found: Mapping[str, Any], region: str) -> Offering:
    """What an instance is billed as.

    Args:
        found: the instance, as EC2 describes it.
    """
    place = found.get("Placement", {})
    zone = str(place.get("AvailabilityZone", ""))
    system = found.get("PlatformDetails") or ("Windows" if found.get("Platform") == "windows" else LINUX)
    if any(each.get("ProductCodeType") == "marketplace" for each in found.get("ProductCodes", ())):
        system += " from the AWS Marketplace"
    return Offering(
        type=str(found.get("InstanceType", "")),
        # A local zone is in a region of its own in the list: us-west-2-lax-1a in us-west-2-lax-1.
        region=re.sub(r"(?<=\d)[a-z]$", "", zone) or region,
        zone=zone,
        market=str(found.get("InstanceLifecycle") or ON_DEMAND),
        tenancy=str(place.get("Tenancy") or "default"),
        system=system,
    )


def prices(account: Account, offerings: Sequence[Offering], *, patience: float = QUICK) -> list[Price]:
    """Prices side by side, one call for each; what has no answer in ``patience`` seconds is unknown."""
    todo: queue.SimpleQueue[int] = queue.SimpleQueue()
    for place in range(len(offerings)):
        todo.put(place)
    answers: queue.SimpleQueue[tuple[int, Price]] = queue.SimpleQueue()
    deadline = Deadline(patience)

    def work() -> None:
        while not deadline.passed:
            try:
                place = todo.get_nowait()
            except queue.Empty:
                return
            answers.put((place, _price(account, offerings[place])))

    # Not an executor's, which Python joins before it ends: a name that does not resolve takes longer than it may.
    for _ in range(min(len(offerings), _AT_ONCE)):
        threading.Thread(target=work, daemon=True).start()
    said = [_unknown(f"no answer in {patience:g} s")] * len(offerings)
    for _ in offerings:
        try:
            place, price = answers.get(timeout=deadline.remaining())
        except queue.Empty:
            break
        said[place] = price
    return said


def _price(account: Account, wanted: Offering) -> Price:
    if wanted.system != LINUX:
        return _unknown(f"more is billed than the instance: {wanted.system}", _DAY)
    if wanted.tenancy not in _TENANCIES or (wanted.market == SPOT and wanted.tenancy != "default"):
        return _unknown(f"no list has a price of its tenancy ({wanted.tenancy})", _DAY)
    if wanted.market == SPOT:
        return _asked(account, "ec2:DescribeSpotPriceHistory", lambda: _spot(account, wanted))
    if wanted.market == ON_DEMAND:
        return _asked(account, "pricing:GetProducts", lambda: _on_demand(account, wanted))
    return _unknown(f"it is billed as {wanted.market}", _DAY)


def _asked(account: Account, permission: str, ask: Callable[[], Price]) -> Price:
    """The price, or in one line why there is none."""
    try:
        return ask()
    except (ReadTimeoutError, ConnectTimeoutError):
        return _unknown(f"no answer in {QUICK:g} s")
    except ClientError as error:
        code = code_of(error)
        if code in FORBIDDEN:
            return _unknown(f"these credentials may not ask for it ({permission})")
        return _unknown(f"{_who(account)} answers {code or 'with an error'}")
    except BotoCoreError as error:
        return _unknown(f"{_who(account)} cannot be asked ({type(error).__name__})")
    except PymachineError as error:
        return _unknown(str(error))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):  # what a stranger answers
        return _unknown(f"{_who(account)} does not answer as a price list does")


def _on_demand(account: Account, wanted: Offering) -> Price:
    fields = {
        "instanceType": wanted.type, "regionCode": wanted.region, "operatingSystem": "Linux", "preInstalledSw": "NA",
        "tenancy": _TENANCIES[wanted.tenancy], "capacitystatus": "Used",
    }  # fmt: skip
    filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in fields.items()]
    said = account.quick("pricing").get_products(ServiceCode="AmazonEC2", Filters=filters, MaxResults=10)
    found = set(_amounts(said["PriceList"]))
    if len(found) != 1:
        return _unknown(
            f"the price list has {'several prices' if found else 'none'} of {wanted.type} in {wanted.region}"
        )
    ((currency, amount),) = found
    return Price(hourly=_text(amount), currency=currency, lasts=_DAY)


def _amounts(products: Iterable[str]) -> Iterable[tuple[str, Decimal]]:
    """Currency and price an hour of everything that is in the list under these products."""
    for product in products:
        for offer in json.loads(product)["terms"].get("OnDemand", {}).values():
            for rate in offer["priceDimensions"].values():
                for currency, amount in rate["pricePerUnit"].items():
                    if rate["unit"] == "Hrs" and Decimal(amount) > 0:
                        yield str(currency), Decimal(amount)


def _spot(account: Account, wanted: Offering) -> Price:
    said = account.quick().describe_spot_price_history(
        InstanceTypes=[wanted.type],
        ProductDescriptions=[LINUX, f"{LINUX} (Amazon VPC)"],
        Filters=[{"Name": "availability-zone", "Values": [wanted.zone]}],
        StartTime=datetime.fromtimestamp(time.time(), timezone.utc),  # EC2 answers with the price that holds then
    )["SpotPriceHistory"]
    there = [each for each in said if each["AvailabilityZone"] == wanted.zone and each["InstanceType"] == wanted.type]
    if not there:
        return _unknown(f"EC2 says no spot price of {wanted.type} in {wanted.zone}")
    newest = max(there, key=lambda each: each["Timestamp"])
    return Price(hourly=_text(Decimal(newest["SpotPrice"])), currency="USD", lasts=_SPOT)


def _text(amount: Decimal) -> str:
    """A number without the zeros at its end, and never as 1E-5."""
    return f"{amount.normalize():f}"


def _who(account: Account) -> str:
    return "the service at the endpoint URL" if account.endpoint else "AWS"


def _unknown(why: str, lasts: float = _AGAIN) -> Price:
    return Price(hourly=None, why_unknown=why, lasts=lasts)
