"""An EC2 to test against: moto's answers over HTTP, corrected where EC2 documents something else, failing on request.

Nothing of it is in the product. One process has one such cloud, because moto keeps its state in globals.
"""

from tests.testbed.aws.server import AwsServer

__all__ = ["AwsServer"]
