"""The services that moto has not: prices of EC2 and the quotas of vCPUs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.testbed.aws.protocol import AwsRequest, document, failure
from tests.testbed.aws.world import WORLD

ON_DEMAND, SPOT = "L-1216C47A", "L-34B43A08"  # quota codes: standard instances, in vCPUs
PLENTY = 1152

# Type: vCPUs, memory, and US dollars an hour of Linux in us-east-1, on demand.
TYPES = {
    "t3.micro": (2, "1 GiB", 0.0104), "t3.small": (2, "2 GiB", 0.0208), "t3.medium": (2, "4 GiB", 0.0416),
    "t4g.micro": (2, "1 GiB", 0.0084), "t4g.small": (2, "2 GiB", 0.0168), "m7i.large": (2, "8 GiB", 0.1008),
    "m7g.large": (2, "8 GiB", 0.0816), "c7i.xlarge": (4, "8 GiB", 0.1785),
}  # fmt: skip
# Region: what the price list calls it, and how much dearer it is.
REGIONS = {
    "us-east-1": ("US East (N. Virginia)", 1.0), "us-west-2": ("US West (Oregon)", 1.0),
    "eu-central-1": ("EU (Frankfurt)", 1.15), "eu-west-1": ("EU (Ireland)", 1.1),
}  # fmt: skip
SYSTEMS = {"Linux": 1.0, "Windows": 1.4, "RHEL": 1.3}


def answer(request: AwsRequest) -> tuple[int, dict[str, str], bytes] | None:
    """The reply to a request of one of these services; None: it is another's."""
    if request.service == "pricing":
        return _pricing(request)
    if request.service == "servicequotas" and request.params.get("ServiceCode") == "ec2":
        return _quotas(request)
    return None


def _pricing(request: AwsRequest) -> tuple[int, dict[str, str], bytes]:
    if request.action != "GetProducts":
        return failure("pricing", "AccessDeniedException", f"{request.action} is not answered here")
    if request.params.get("ServiceCode") != "AmazonEC2":
        return failure("pricing", "NotFoundException", "Invalid parameter: ServiceCode")
    wanted = {each["Field"]: each["Value"] for each in request.params.get("Filters", [])}
    found = [json.dumps(product) for product in _products() if _matches(product, wanted)]
    start, size = int(request.params.get("NextToken", "0")), int(request.params.get("MaxResults", 100))
    reply: dict[str, Any] = {"FormatVersion": "aws_v1", "PriceList": found[start : start + size]}
    if start + size < len(found):
        reply["NextToken"] = str(start + size)
    return document(reply)


def _matches(product: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    attributes = product["product"]["attributes"]
    return all(attributes.get(name, "").casefold() == value.casefold() for name, value in wanted.items())


def _products() -> Iterator[dict[str, Any]]:
    for kind, (vcpus, memory, price) in TYPES.items():
        for region, (location, factor) in REGIONS.items():
            for system, dearer in SYSTEMS.items():
                for tenancy in ("Shared", "Dedicated"):
                    for status in ("Used", "UnusedCapacityReservation"):
                        paid = price * factor * dearer * (1.06 if tenancy == "Dedicated" else 1)
                        yield _product(kind, vcpus, memory, region, location, system, tenancy, status, paid)


def _product(
    kind: str, vcpus: int, memory: str, region: str, location: str, system: str, tenancy: str, status: str, price: float
) -> dict[str, Any]:  # fmt: skip
    sku = f"{abs(hash((kind, region, system, tenancy, status))):016X}"[:16]
    offer, rate = f"{sku}.JRTCKXETXF", f"{sku}.JRTCKXETXF.6YS6EN2CT7"
    unused = status != "Used"
    return {
        "product": {
            "productFamily": "Compute Instance",
            "attributes": {
                "servicecode": "AmazonEC2", "servicename": "Amazon Elastic Compute Cloud", "instanceType": kind,
                "instanceFamily": "General purpose", "vcpu": str(vcpus), "memory": memory, "location": location,
                "locationType": "AWS Region", "regionCode": region, "operatingSystem": system, "tenancy": tenancy,
                "preInstalledSw": "NA", "licenseModel": "No License required", "capacitystatus": status,
                "marketoption": "OnDemand", "currentGeneration": "Yes", "storage": "EBS only",
                "usagetype": f"{'UnusedBox' if unused else 'BoxUsage'}:{kind}", "operation": "RunInstances",
            },
            "sku": sku,
        },
        "serviceCode": "AmazonEC2",
        "terms": {
            "OnDemand": {
                offer: {
                    "priceDimensions": {
                        rate: {
                            "unit": "Hrs", "endRange": "Inf", "beginRange": "0", "rateCode": rate, "appliesTo": [],
                            "description": f"${price:.4f} per {tenancy} {system} {kind} Instance Hour",
                            "pricePerUnit": {"USD": f"{price:.10f}"},
                        }
                    },
                    "sku": sku, "effectiveDate": "2026-06-01T00:00:00Z", "offerTermCode": "JRTCKXETXF",
                    "termAttributes": {},
                }
            }
        },
        "version": "20260601000000", "publicationDate": "2026-06-01T00:00:00Z",
    }  # fmt: skip


def _quotas(request: AwsRequest) -> tuple[int, dict[str, str], bytes]:
    quotas = {ON_DEMAND: WORLD.vcpus, SPOT: WORLD.spot_vcpus}
    if request.action == "ListServiceQuotas":
        return document({"Quotas": [_quota(code, limit) for code, limit in quotas.items()]})
    code = str(request.params.get("QuotaCode"))
    if request.action != "GetServiceQuota" or code not in quotas:
        message = f"The request failed because the specified quota code {code} does not exist."
        return failure("servicequotas", "NoSuchResourceException", message)
    return document({"Quota": _quota(code, quotas[code])})


def _quota(code: str, limit: int | None) -> dict[str, Any]:
    name = "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"
    if code == SPOT:
        name = "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests"
    return {
        "ServiceCode": "ec2", "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)", "QuotaCode": code,
        "QuotaName": name, "Value": float(PLENTY if limit is None else limit), "Unit": "None", "Adjustable": True,
        "GlobalQuota": False,
    }  # fmt: skip
