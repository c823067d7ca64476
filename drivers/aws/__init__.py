"""Driver ``aws``: instances at EC2, through boto3.

``driver.py`` is the protocol and nothing else; behind it one file per thing: who asks (``account.py``), what is asked
for (``request.py`` and the files it uses), what is made (``group.py``, ``launch.py``, ``elasticip.py``), what becomes
of it (``instances.py``, ``removal.py``), and what all of it is marked with (``marks.py``).
"""

from machine.drivers.aws.driver import AwsDriver

__all__ = ["AwsDriver"]
