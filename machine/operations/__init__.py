"""What can be done with a machine: one file per operation, made of steps.

Read ``create.py`` and you know the program.
"""
