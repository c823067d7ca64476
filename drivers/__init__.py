"""The built-in drivers, one file or folder each; always imported as ``machine.drivers.NAME``."""
