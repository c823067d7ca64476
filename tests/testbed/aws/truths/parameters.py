"""The public SSM parameters that stand for the newest image of a kind."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from moto.ssm.models import Parameter, ParameterDict

from tests.testbed.aws import catalog
from tests.testbed.aws.world import wraps

_OURS = ("/aws/service/debian", "/aws/service/canonical", "/aws/service/ami-amazon-linux-latest")


@wraps(ParameterDict, "_check_loading_status")
def _loaded(original: Any, self: ParameterDict, key: str) -> None:
    if not str(key or "").startswith(_OURS):
        original(self, key)
    elif not self.latest_amis_loaded:
        self.latest_amis_loaded = True
        for image in catalog.images(self.region_name):
            for name in image.parameters:
                dict.__setitem__(self, name, [_parameter(self.account_id, name, image.id, image.created)])


def _parameter(account: str, name: str, value: str, modified: datetime) -> Parameter:
    return Parameter(
        account_id=account, name=name, value=value, parameter_type="String", description=None, allowed_pattern=None,
        keyid=None, last_modified_date=modified, version=3, data_type="aws:ec2:image",
    )  # fmt: skip
