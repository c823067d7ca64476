"""User data for hosts of cloud providers, for every driver that has such: `build` puts it together for cloud-init."""

from machine.userdata.document import LIMIT, UserData, build, wants_default_engine
from machine.userdata.own import check_own

__all__ = ["LIMIT", "UserData", "build", "check_own", "wants_default_engine"]
