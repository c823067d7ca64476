"""The command line: parses, calls the operations, draws. Nothing else in pymachine prints.

One file per command; a command imports what it uses inside its function, so that ``--help`` costs nothing.
"""

from __future__ import annotations

import os
import sys
from gc import set_threshold  # by its own name, for `gc` is a command here

_ALLOCATIONS_PER_COLLECTION = 20_000  # Python's: 700


def command_line(argv: list[str] | None = None) -> int:
    """Run a command line and return its exit code (``docs/exit-codes.md``)."""
    # What a command makes lives until it ends, modules above all; looking for garbage at Python's usual rate was an
    # eighth of what an apply computes.
    set_threshold(_ALLOCATIONS_PER_COLLECTION)
    import click

    from machine.cli.failures import show_click_error, show_error
    from machine.cli.main import main
    from machine.errors import PymachineError
    from machine.program import name

    command = None
    try:
        if "_PYMACHINE_COMPLETE" in os.environ:  # click's own completion; what the hot path could not answer
            main.main(args=argv, prog_name="pymachine", standalone_mode=False)
        # Not `main.main`: that ends the process itself when the reader of a pipe is gone, and says 1.
        with main.make_context(name(), list(sys.argv[1:] if argv is None else argv)) as context:
            try:
                result = main.invoke(context)
            finally:
                command = context.invoked_subcommand
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except PymachineError as error:
        return show_error(error, command)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        return show_click_error(error)
    except (click.Abort, KeyboardInterrupt):
        sys.stderr.write("\nStopped.\n")
        return 130
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
