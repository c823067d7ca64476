"""``python -m machine.cli``: the command where its script is not on the PATH."""

from machine.hot import main

raise SystemExit(main())
