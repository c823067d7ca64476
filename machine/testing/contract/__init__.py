"""What every driver must do, as a pytest class: derive a ``Test…`` class, say how to reach the provider, run pytest.

    class TestMine(DriverContract):
        @pytest.fixture
        def provider(self, monkeypatch):        # set up what the driver talks to
            monkeypatch.setenv("MINE_TOKEN", "canary-7f3a")
            yield

        def new_driver(self):                   # as every process has its own
            return MyDriver()

        def given(self):                        # options of a small instance, as on a command line
            return {"region": "eu-1", "token": "canary-7f3a"}

        def wrong_values(self):                 # what an option must refuse
            return {"size": "-1"}

        def lose(self, instance):               # remove it behind the driver's back
            self.api.delete(instance.id)

What a driver's capabilities leave out is not skipped: the suite asserts that it is refused.
For the values in a failed assertion: ``pytest.register_assert_rewrite("machine.testing.contract")`` in a conftest.
"""

from machine.testing.contract.creation import CreationContract
from machine.testing.contract.lifecycle import LifecycleContract
from machine.testing.contract.marks import MarksContract
from machine.testing.contract.options import OptionsContract
from machine.testing.contract.removal import RemovalContract
from machine.testing.contract.secrets import SecretsContract

__all__ = ["DriverContract"]


class DriverContract(
    OptionsContract, CreationContract, LifecycleContract, RemovalContract, MarksContract, SecretsContract
):
    """All of it."""
