"""Go templates: what text/template makes of them, and what it says of those it cannot take.

The expectations are those of Go 1.12, with which docker-machine was built, except where `KINDER` says so.
"""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from machine.compat.gotemplate import Header, Named, Struct, Template, TemplateError

HOST: dict[str, Any] = {
    "ConfigVersion": 3,
    "Driver": {"IPAddress": "192.0.2.7", "SSHPort": 22, "Ratio": 1.5, "Nothing": None, "On": True},
    "DriverName": "generic",
    "Labels": ["a=b", "c"],
    "Name": "h1",
    "None": [],
}

RENDERED = {
    # fields
    "{{.Name}}": "h1",
    "{{ .Name }}": "h1",
    "{{.Driver.IPAddress}}": "192.0.2.7",
    "{{(.Driver).IPAddress}}": "192.0.2.7",
    "{{.Driver.SSHPort}} {{.Driver.Ratio}} {{.Driver.On}}": "22 1.5 true",
    "{{.Driver.Nothing}}": "<no value>",
    "{{.Missing}}": "<no value>",
    "{{.Missing.Deeper.Still}}": "<no value>",
    "{{$.Name}}": "h1",
    "plain": "plain",
    "": "",
    "}} { {": "}} { {",
    # whole values
    "{{.Labels}}": "[a=b c]",
    "{{.Driver}}": "map[IPAddress:192.0.2.7 Nothing:<nil> On:true Ratio:1.5 SSHPort:22]",
    "{{.None}}": "[]",
    # variables
    "{{$x := .Driver}}{{$x.SSHPort}}": "22",
    "{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}": "2",
    "{{$x := 1}}{{if true}}{{$x := 2}}{{end}}{{$x}}": "1",
    # trim markers and comments
    "a {{- .Name -}} b": "ah1b",
    "a \n{{- /* why */ -}}\n b": "ab",
    "a{{/* why */}}b": "ab",
    "{{.Name -}}\n\n  x": "h1x",
    "{{-3}}": "-3",
    # constants
    '{{"a\\tb\\x41\\u00e9\\101"}}': "a\tbAéA",
    "{{`a\\tb`}}": "a\\tb",
    "{{'a'}} {{'\\n'}}": "97 10",
    "{{1}} {{-1}} {{0x1F}} {{010}} {{1.50}} {{1e3}}": "1 -1 31 8 1.5 1000",
    "{{1000000.0}} {{123456.0}} {{0.00001}}": "1e+06 123456 1e-05",
    "{{true}} {{false}}": "true false",
    # pipelines and parentheses
    '{{.Name | printf "%s-%s" "x"}}': "x-h1",
    "{{.Labels | len | printf `%03d`}}": "002",
    "{{len (index .Labels 0)}}": "3",
    "{{((.Name))}}": "h1",
    "{{(index .Labels 0) | len}}": "3",
    # if
    "{{if .Name}}y{{else}}n{{end}}": "y",
    "{{if .Missing}}y{{else}}n{{end}}": "n",
    "{{if .Missing}}y{{end}}": "",
    "{{if .None}}y{{else}}n{{end}}": "n",
    "{{if false}}1{{else if true}}2{{else}}3{{end}}": "2",
    "{{if false}}1{{else if false}}2{{else}}3{{end}}": "3",
    "{{if $x := .Name}}{{$x}}{{end}}": "h1",
    '{{if and .Name (eq .DriverName "generic") (not .None)}}y{{end}}': "y",
    # with
    "{{with .Driver}}{{.SSHPort}} {{$.Name}}{{end}}": "22 h1",
    "{{with .Missing}}y{{else}}{{.Name}}{{end}}": "h1",
    "{{with $x := .Name}}{{$x}}{{.}}{{end}}": "h1h1",
    # range
    "{{range .Labels}}<{{.}}>{{end}}": "<a=b><c>",
    "{{range $i, $v := .Labels}}{{$i}}:{{$v} }{{end}}".replace("} }", "}} "): "0:a=b 1:c ",
    "{{range $v := .Labels}}{{$v}} {{end}}": "a=b c ",
    "{{range $k, $v := .Driver}}{{$k}}={{$v}},{{end}}": (
        "IPAddress=192.0.2.7,Nothing=<no value>,On=true,Ratio=1.5,SSHPort=22,"
    ),
    "{{range .None}}x{{else}}none{{end}}": "none",
    "{{range .Missing}}x{{else}}none{{end}}": "none",
    "{{range .Labels}}{{range $.Labels}}.{{end}}|{{end}}": "..|..|",
    # functions
    "{{and 1 0 2}} {{or 0 1 2}} {{or 0 0}} {{and 1 2}}": "0 1 0 2",
    "{{not .Missing}} {{not .Name}}": "true false",
    '{{eq .Name "h1"}} {{ne .Name "h1"}} {{eq .Name "x" "h1"}}': "true false true",
    '{{lt 1 2}} {{le 2 2}} {{gt 1 2}} {{ge 2 2}} {{lt "a" "b"}} {{gt 1.5 1.0}}': "true true false true true true",
    "{{len .Name}} {{len .Labels}} {{len .Driver}} {{len `é`}}": "2 2 5 2",
    '{{index .Labels 1}} {{index .Driver "SSHPort"}} {{index .Driver "Nope"}}': "c 22 <no value>",
    '{{print "a" "b" 1 2 "c"}}': "ab1 2c",
    '{{println "a" 1}}': "a 1\n",
    '{{html `<a href="x">\'&`}}': "&lt;a href=&#34;x&#34;&gt;&#39;&amp;",
    "{{urlquery `a b&c`}}": "a+b%26c",
    # docker-machine's functions
    "{{json .Name}}": '"h1"',
    "{{json .Labels}}": '["a=b","c"]',
    "{{json .Driver}}": '{"IPAddress":"192.0.2.7","Nothing":null,"On":true,"Ratio":1.5,"SSHPort":22}',
    "{{json `<&>`}}": '"\\u003c\\u0026\\u003e"',
    "{{json .Missing}}": "null",
    "{{prettyjson .Labels}}": '[\n    "a=b",\n    "c"\n]',
    "{{.None | prettyjson}}": "[]",
    # docker's
    '{{join .Labels ","}} {{upper .Name}} {{lower "A"}} {{title "a b"}}': "a=b,c H1 a A B",
    '{{index (split "a,b" ",") 1}}': "b",
}

PRINTED: list[tuple[tuple[Any, ...], str]] = [
    (("%s|%v|%q", "h1", "h1", "h1"), 'h1|h1|"h1"'),
    (("%5s|%-5s|%.1s|%05d", "h1", "h1", "h1", 42), "   h1|h1   |h|00042"),
    (
        ("%d|%+d|% d|%x|%X|%o|%b|%c|%U|%q", 10, 10, 10, 255, 255, 8, 5, 97, 97, 97),
        "10|+10| 10|ff|FF|10|101|a|U+0061|'a'",
    ),
    (("%x|%X|% x", "hi", "hi", "hi"), "6869|6869|68 69"),
    (("%t|%v", True, False), "true|false"),
    (("%v|%d|%s", None, None, None), "<nil>|%!d(<nil>)|%!s(<nil>)"),
    (("%f|%.2f|%e|%g|%6.1f|%.0f", 1.5, 1.5, 1.5, 1.5, 1.5, 22), "1.500000|1.50|1.500000e+00|1.5|   1.5|22"),
    (("%v|%q|%d", ["a", "b"], ["a", "b"], [1, 2]), '[a b]|["a" "b"]|[1 2]'),
    (("%v", {"b": 1, "a": [True]}), "map[a:[true] b:1]"),
    (("%T %T %T %T %T", 1, 1.5, "a", ["a"], {}), "int float64 string []interface {} map[string]interface {}"),
    (("100%%",), "100%"),
    (("%*d|%-*d|%.*f", 5, 42, 5, 42, 1, 1.25), "   42|42   |1.2"),
    (("%[2]s %[1]s", "a", "b"), "b a"),
    # what does not fit is said in its place
    (("%d", "a"), "%!d(string=a)"),
    (("%s", 5), "%!s(int=5)"),
    (("%t", 1), "%!t(int=1)"),
    (("%z", 1), "%!z(int=1)"),
    (("%d %d", 1), "1 %!d(MISSING)"),
    (("%d", 1, "b", None), "1%!(EXTRA string=b, <nil>)"),
    (("%",), "%!(NOVERB)"),
    (("%[3]d", 1), "%!d(BADINDEX)"),
]

WRONG = {
    # what cannot be understood: the line, and Go's words
    "{{.Name": ("template: :1: unclosed action", None),
    "{{.Name}": ('template: :1: unexpected "}" in operand', None),
    "\n{{.Name | }}": ("template: :2: missing value for command", None),
    "{{}}": ("template: :1: missing value for command", None),
    "{{if}}{{end}}": ("template: :1: missing value for if", None),
    "{{if .Name}}": ("template: :1: unexpected EOF", None),
    "{{end}}": ("template: :1: unexpected {{end}}", None),
    "{{else}}": ("template: :1: unexpected {{else}}", None),
    "{{if .A}}{{else}}{{else}}{{end}}": ("template: :1: expected end; found {{else}}", None),
    "{{nosuch .Name}}": ('template: :1: function "nosuch" not defined', None),
    "{{jsn .Name}}": ('template: :1: function "jsn" not defined', "did you mean json?"),
    "{{$x}}": ('template: :1: undefined variable "$x"', None),
    "{{$name := 1}}{{$nam}}": ('template: :1: undefined variable "$nam"', "did you mean $name?"),
    "{{if true}}{{$x := 1}}{{end}}{{$x}}": ('template: :1: undefined variable "$x"', None),
    "{{$x = 1}}": ('template: :1: undefined variable "$x"', None),
    '{{"a}}': ("template: :1: unterminated quoted string", None),
    "{{`a}}": ("template: :1: unterminated raw quoted string", None),
    "{{'a}}": ("template: :1: unterminated character constant", None),
    '{{"\\z"}}': ("template: :1: invalid syntax", None),
    "{{(.Name}}": ("template: :1: unclosed left paren", None),
    "{{.Name)}}": ("template: :1: unexpected right paren U+0029 ')'", None),
    "{{3x}}": ('template: :1: bad number syntax: "3x"', None),
    "{{99999999999999999999}}": ('template: :1: integer overflow: "99999999999999999999"', None),
    "{{.A#}}": ("template: :1: bad character U+0023 '#'", None),
    "{{1 | 2}}": ("template: :1: non executable command in pipeline stage 2", None),
    "{{/* a }}": ("template: :1: unclosed comment", None),
    "{{/* a */ b}}": ("template: :1: comment ends before closing delimiter", None),
    '{{"a".B}}': ('template: :1: unexpected . after term "\\"a\\""', None),
    '{{template "x"}}': ("template: :1: {{template}} is not supported here", None),
    "{{$x, $y := 1}}": ("template: :1: too many declarations in command", None),
    # what cannot be done: line and column, and what was asked
    "{{.Name.Foo}}": (
        'template: :1:7: executing "" at <.Name.Foo>: can\'t evaluate field Foo in type interface {}',
        None,
    ),
    "a\nb {{index .Labels 5}}": (
        'template: :2:4: executing "" at <index .Labels 5>: error calling index: index out of range: 5',
        None,
    ),
    "{{len 3}}": ('template: :1:2: executing "" at <len 3>: error calling len: len of type int', None),
    "{{len}}": ('template: :1:2: executing "" at <len>: wrong number of args for len: want 1 got 0', None),
    "{{nil}}": ('template: :1:2: executing "" at <nil>: nil is not a command', None),
    '{{.Name "x"}}': ('template: :1:2: executing "" at <.Name>: Name is not a method but has arguments', None),
    "{{1 2}}": ('template: :1:2: executing "" at <1>: can\'t give argument to non-function 1', None),
    "{{range .Name}}{{end}}": ('template: :1:8: executing "" at <.Name>: range can\'t iterate over h1', None),
    "{{eq .Name 1}}": (
        'template: :1:2: executing "" at <eq .Name 1>: error calling eq: incompatible types for comparison',
        None,
    ),
    "{{eq .Labels .Labels}}": (
        'template: :1:2: executing "" at <eq .Labels .Labels>: error calling eq: invalid type for comparison',
        None,
    ),
    "{{.Driver.Nothing.Foo}}": (
        'template: :1:9: executing "" at <.Driver.Nothing.Foo>: nil pointer evaluating interface {}.Foo',
        None,
    ),
    "{{index .Driver 1}}": (
        'template: :1:2: executing "" at <index .Driver 1>: error calling index: value has type int; should be string',
        None,
    ),
}

# Go refuses these; they can only be meant in one way.
KINDER = {
    "{{eq .Driver.SSHPort 22}}": "true",  # its ports are floats, and no float is 22
    '{{printf "%d" .Driver.SSHPort}}': "22",  # %!d(float64=22)
    "{{.Name\n}}": "h1",  # from Go 1.16 on
    "{{eq .Driver.Nothing nil}}": "true",
}


@pytest.mark.parametrize(("template", "text"), RENDERED.items())
def test_a_template_makes_what_go_makes_of_it(template: str, text: str) -> None:
    assert Template(template).render(HOST) == text


@pytest.mark.parametrize(("template", "text"), KINDER.items())
def test_what_can_only_be_meant_in_one_way_is_taken(template: str, text: str) -> None:
    assert Template(template).render(HOST) == text


@pytest.mark.parametrize(("words", "text"), PRINTED, ids=lambda each: str(each)[:40])
def test_printf_prints_as_go_does(words: tuple[Any, ...], text: str) -> None:
    names = [f"v{number}" for number in range(len(words) - 1)]
    template = "{{printf " + " ".join([f"`{words[0]}`", *(f".{name}" for name in names)]) + "}}"
    assert Template(template).render(dict(zip(names, words[1:], strict=True))) == text


@pytest.mark.parametrize(("template", "said"), WRONG.items())
def test_what_is_wrong_is_said_in_gos_words_with_its_place(template: str, said: tuple[str, str | None]) -> None:
    with pytest.raises(TemplateError) as caught:
        Template(template).render(HOST)
    assert (str(caught.value), caught.value.hint) == said
    assert caught.value.exit_code == 1


ITEM = Struct(
    "commands.HostListItem",
    {
        "Name": "h1",
        "State": Named("state.State", 1, "Running"),
        "Engine": Struct("*engine.Options", {"Labels": ["a=b"], "TLSVerify": True}),
    },
)


def test_a_struct_refuses_a_field_it_has_not_and_names_the_nearest() -> None:
    with pytest.raises(TemplateError) as caught:
        Template("{{.Nme}}").render(ITEM)
    assert str(caught.value) == (
        'template: :1:2: executing "" at <.Nme>: can\'t evaluate field Nme in type commands.HostListItem'
    )
    assert caught.value.hint == "did you mean .Name?"
    with pytest.raises(TemplateError) as caught:
        Template("{{.Engine.labels}}").render(ITEM)
    assert caught.value.hint == "did you mean .Engine.Labels?"
    with pytest.raises(TemplateError) as caught:
        Template("{{.Zzzz}}").render(ITEM)
    assert caught.value.hint == "there are: .Name .State .Engine"


@pytest.mark.parametrize(
    ("template", "text"),
    {
        "{{.Engine}}": "{[a=b] true}",
        '{{printf "%+v" .Engine}}': "{Labels:[a=b] TLSVerify:true}",
        "{{json .Engine}}": '{"Labels":["a=b"],"TLSVerify":true}',
        "{{.State}}": "Running",
        '{{printf "%s %d" .State .State}}': "Running 1",
        '{{eq .State "Running"}} {{eq .State 1}} {{eq "Stopped" .State}}': "true true false",
        "{{if .State}}y{{end}}": "y",
    }.items(),
)
def test_structs_and_named_numbers_print_as_gos(template: str, text: str) -> None:
    assert Template(template).render(ITEM) == text


def test_every_field_of_a_heading_is_the_heading() -> None:
    headers = {"Engine": Header("ENGINE")}
    template = Template("{{.Engine.Labels}} {{range .Engine.Labels}}{{.}}{{end}} {{.Other}}")
    assert template.render(headers) == "ENGINE ENGINE <no value>"


def test_a_missing_field_that_is_printed_is_told_of_with_the_nearest_one() -> None:
    notes: list[str] = []
    Template("{{.Driver.IPAdress}} {{if .Nmae}}{{end}} {{json .Nmae}}").render(HOST, note=notes.append)
    assert notes == ["there is no .Driver.IPAdress; did you mean .Driver.IPAddress?"]


@pytest.mark.parametrize(
    "template",
    [
        "(" * 5000,
        "{{" + "(" * 5000 + "1" + ")" * 5000 + "}}",
        "{{if true}}" * 5000 + "{{end}}" * 5000,
        "{{if false}}" + "{{else if false}}" * 5000 + "{{end}}",
        "{{range .L}}" * 8 + "x" + "{{end}}" * 8,
        '{{$x := "aaaaaaaa"}}' + '{{$x = printf "%s%s" $x $x}}' * 64,
        '{{printf "%1000000000d" 1}}',
        "{{range $i, $v := .L}}{{range $j, $w := .L}}" + "{{printf `%10000d` 1}}" * 9 + "{{end}}{{end}}",
    ],
    ids=lambda text: text[:20],
)
def test_no_template_takes_much_time_or_memory(template: str) -> None:
    try:
        text = Template(template).render({"L": list(range(40))})
    except TemplateError:
        return
    assert len(text) <= 20_000_000


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["A", "B", "C"]), inner, max_size=3)
        | st.builds(Struct, st.just("T"), st.dictionaries(st.sampled_from(["A", "B", "C"]), inner, max_size=3))
    ),
    max_leaves=8,
)
WORDS = st.sampled_from(
    [
        ".", ".A", ".A.B", "$", "$x", "$x.A", ":=", "=", "|", "(", ")", ",", "1", "-1.5", "0x1", "1e400", "'a'", '"b"',
        "`c`", "nil", "true", "and", "or", "not", "eq", "lt", "len", "index", "print", "printf", "json", "prettyjson",
        "join", "split", "html", "title", '"%5d %q %x %*d %[2]v %+v %T"', "range", "if", "else", "end", "with",
        "{{", "}}", "{{-", "-}}", "/*", "*/", " ", "\n", "text", "#", "é", "\x00", '"\\x"', "define",
    ]
)  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(st.lists(WORDS, max_size=12).map(" ".join) | st.text(max_size=30), VALUES)
def test_nothing_but_a_template_error_ever_comes_of_a_template(inside: str, value: Any) -> None:
    for template in (inside, "{{" + inside + "}}", "{{range $x := .}}{{" + inside + "}}{{end}}"):
        with contextlib.suppress(TemplateError):
            assert isinstance(Template(template).render(value), str)
