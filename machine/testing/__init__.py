"""For those who write drivers, and for pymachine's own tests. Public.

contract   what every driver must do, as a pytest class: ``DriverContract``
memory     a driver that passes it: instances that are records only, at a little cloud in a file
cloud      that cloud, with latency, capacity and faults to be injected; processes share it
recorder   the journal as a driver sees it, in lists, and one that stops the driver at a chosen call
plugin     register a driver for this process and its children without installing anything

Only ``contract`` needs pytest: ``pip install 'pymachine-cli[testing]'``. ``docs/drivers.md`` shows how to use it.
"""
