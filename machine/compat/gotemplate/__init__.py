"""A subset of Go's ``text/template``, as ``docker-machine ls`` and ``inspect`` are asked with it.

In it: fields, variables, pipelines, parentheses, ``if range with else end``, comments, trim markers, Go's constants,
and its functions but ``call js slice``. Not in it: ``define template block break continue``, methods with arguments.
Added: ``json prettyjson`` for both commands, and docker's own ``join lower split title upper``.

    lexer -> parser -> nodes;  evaluate walks the nodes over values, functions and printing do as Go's packages do

Nothing is executed but this: a value has fields and elements, and no Python attribute is ever looked up. Nesting, steps
and the length of what is printed are bounded. Whatever is wrong is a `TemplateError`, in Go's words.
"""

from machine.compat.gotemplate.evaluate import Template
from machine.compat.gotemplate.functions import to_json
from machine.compat.gotemplate.values import Header, Named, Struct, TemplateError

__all__ = ["Header", "Named", "Struct", "Template", "TemplateError", "to_json"]
