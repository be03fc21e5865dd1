"""Templates of memory skills: what is allowed works, and nothing else can be reached."""

import time
from random import Random

import pytest

from tests.fixtures.skilled import draft, looking
from yiku.core.errors import InvalidSkill
from yiku.core.skill import SkillType
from yiku.memory.skills import template
from yiku.memory.skills.template import MAX_RENDERED, MAX_TEMPLATE, check, render

NOW = "2026-05-07T12:30:00Z"
KNOWN = [
    {"id": "passage-1", "text": "住北京", "at": "2026-01-01"},
    {"id": "passage-2", "text": "drinks tea", "at": "2026-02-02"},
]
VARIABLES = {"content": "我搬到上海了", "known": KNOWN, "language": "zh", "now": NOW}

# What a template says, and the rule it breaks
ATTACKS = {
    # Python internals, by attributes, subscripts and filters
    "{{ content.__class__ }}": "attribute",
    "{{ content.__class__.__mro__[1].__subclasses__() }}": "statement",
    "{{ ''.__class__.__base__.__subclasses__()[40]('/etc/passwd').read() }}": "statement",
    "{{ content['__class__'] }}": "statement",
    "{{ content|attr('__class__') }}": "filter",
    "{{ content|attr('\\x5f\\x5fclass\\x5f\\x5f') }}": "filter",
    "{{ [content]|map(attribute='__class__')|list }}": "filter",
    "{% for k in known %}{{ k.__class__ }}{% endfor %}": "attribute",
    "{% for k in known %}{{ k.items }}{% endfor %}": "attribute",
    "{% for k in known %}{{ k['text'] }}{% endfor %}": "statement",
    "{% for k in known %}{{ k.text.__class__ }}{% endfor %}": "attribute",
    "{% for k in known %}{{ loop.__init__ }}{% endfor %}": "attribute",
    "{% for k in known %}{{ loop.previtem }}{% endfor %}": "attribute",
    "{% for k in known %}{{ loop }}{% endfor %}": "unknown-variable",
    "{{ self.__init__.__globals__ }}": "attribute",
    "{{ self._TemplateReference__context }}": "attribute",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}": "statement",
    "{{ lipsum.__globals__ }}": "attribute",
    "{{ config }}": "unknown-variable",
    "{{ request }}": "unknown-variable",
    "{{ __builtins__ }}": "unknown-variable",
    # Calls and definitions
    "{{ range(3) }}": "statement",
    "{{ dict() }}": "statement",
    "{{ content.upper() }}": "statement",
    "{% call x() %}{% endcall %}": "statement",
    "{% macro x() %}{% endmacro %}": "statement",
    "{% set x = content %}": "statement",
    "{% set x %}a{% endset %}": "statement",
    "{% with x = content %}{{ x }}{% endwith %}": "statement",
    "{% filter upper %}a{% endfilter %}": "statement",
    "{% autoescape true %}a{% endautoescape %}": "statement",
    # Other files
    "{% include '/etc/passwd' %}": "statement",
    "{% import 'os' as os %}": "statement",
    "{% from 'os' import system %}": "statement",
    "{% extends 'base' %}": "statement",
    "{% block x %}{% endblock %}": "statement",
    # Bombs
    "{% for i in range(10**9) %}x{% endfor %}": "loop",
    "{% for i in content %}x{% endfor %}": "loop",
    "{% for i in [1, 2] %}x{% endfor %}": "loop",
    "{% for k in known %}{% for j in known %}x{% endfor %}{% endfor %}": "loop",
    "{% for k in known recursive %}{{ loop(k) }}{% endfor %}": "loop",
    "{% for k, v in known %}x{% endfor %}": "loop",
    "{% for content in known %}x{% endfor %}": "loop",
    "{% for _k in known %}x{% endfor %}": "loop",
    "{% for k in known if k.text.__class__ %}x{% endfor %}": "attribute",
    "{{ 'a' * 10 ** 10 }}": "statement",
    "{{ 10 ** 10 ** 10 }}": "statement",
    "{{ content ~ content }}": "statement",
    "{{ content + content }}": "statement",
    "{{ -1 }}": "statement",
    "{{ content|replace('', 'xxxxxxxxxx') }}": "filter",
    "{{ content|center(1000000000) }}": "filter",
    "{{ content|indent(1000000000) }}": "filter",
    "{{ known|join(content) }}": "filter",
    "{{ content[:5] }}": "statement",
    "{{ 1e999 }}": "number",
    "{{ 999999999 }}": "number",
    # Format strings
    "{{ '%s'|format(content) }}": "filter",
    "{{ '{0.__class__}'.format(content) }}": "statement",
    "{{ '%(x)s' % content }}": "statement",
    # The wrong variables
    "{{ contnet }}": "unknown-variable",
    "{{ query }}": "unknown-variable",
    "{{ k.text }}": "attribute",
    "{% for k in known %}{% endfor %}{{ k }}": "unknown-variable",
    "{{ known }}": "known",
    "{{ content is eq 'a' }}": "test",
    "{{ content is callable }}": "test",
    "{{ content is filter }}": "test",
    "{{ content|truncate(*known) }}": "filter",
    # What is no template
    "{{ content": "syntax",
    "{% if content %}": "syntax",
    "{% endif %}": "syntax",
    "{% do content %}": "syntax",
    "{% unknown %}": "syntax",
    "{{ content|nosuch }}": "filter",
    "{{ 'a' b }}": "syntax",
    "{{ " + "9" * 5000 + " }}": "syntax",
    "{{ " + "(" * 3000 + "content" + ")" * 3000 + " }}": "syntax",
    "{{ " + "not " * 100 + "content }}": "depth",
    "{% if content %}" * 60 + "{% endif %}" * 60: "depth",
}


@pytest.mark.parametrize("attack", ATTACKS, ids=[one[:60] for one in ATTACKS])
def test_what_is_not_allowed_is_refused_with_file_line_and_rule(attack: str) -> None:
    began = time.thread_time()

    with pytest.raises(InvalidSkill) as refused:
        check(draft(template="{{ content }}\n\n" + attack), "skills/mine.md", first_line=8)

    facts = refused.value.facts
    assert facts["rule"] == ATTACKS[attack], refused.value.message
    lines = (8, 10) if facts["rule"] == "syntax" else (10,)  # Python's own limits know no lines
    assert facts["line"] in lines
    assert refused.value.message.startswith(f"skills/mine.md:{facts['line']}: ")
    assert refused.value.message.endswith(f"(rule {facts['rule']}).")
    assert time.thread_time() - began < 2


@pytest.mark.parametrize("attack", ATTACKS, ids=[one[:60] for one in ATTACKS])
def test_it_is_refused_when_it_is_to_be_rendered_too(attack: str) -> None:
    with pytest.raises(InvalidSkill):
        render(attack, VARIABLES)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        ("no variable", "needed-variable"),
        ("{{ language }} {{ now }}", "needed-variable"),
        ("{# {{ content }} #}", "needed-variable"),
        ("{% raw %}{{ content }}{% endraw %}", "needed-variable"),
        ("{% if content %}yes{% endif %}", "needed-variable"),
        ("{{ content|length }}", "needed-variable"),
        ("{{ content|truncate(5) }}", "needed-variable"),
        ("{{ 'x' if content else 'y' }}", "needed-variable"),
        ('{% if language == "zh" %}{{ content }}{% endif %}', "needed-variable"),
        ('{% if language == "zh" %}a{% else %}{{ content }}{% endif %}', "needed-variable"),
        ("{% if known %}{{ content }}{% endif %}", "needed-variable"),
        ("{% for k in known %}{{ content }}{% endfor %}", "needed-variable"),
        ("{{ content }}" + "x" * MAX_TEMPLATE, "size"),
        ("{{ content }}{{ now < 3 }}", "render"),
    ],
)
def test_a_template_without_its_variable_is_refused(text: str, rule: str) -> None:
    with pytest.raises(InvalidSkill) as refused:
        check(draft(template=text))

    assert refused.value.facts["rule"] == rule
    assert refused.value.message.startswith("the template of 'mine', line ")


def test_a_template_is_of_its_kind() -> None:
    check(looking(template="{{ query }} {{ now }} {{ language }}"))
    with pytest.raises(InvalidSkill, match="there is no variable `content`"):
        check(looking(template="{{ query }} {{ content }}"))
    with pytest.raises(InvalidSkill, match="nothing here can be looped over"):
        check(looking(template="{{ query }}{% for k in known %}{% endfor %}"))
    with pytest.raises(InvalidSkill, match="needs the variable `query`"):
        check(looking(template="look it up"))
    with pytest.raises(InvalidSkill, match="there is no variable `query`"):
        check(draft(skill_type=SkillType.ENCODING, template="{{ content }} {{ query }}"))


def test_what_is_allowed_is_rendered() -> None:
    text = """\
{# a comment #}
{% if language == "zh" and content|length > 3 and known %}
现在 {{ now }}
{% for one in known if one.text != "" %}
{{ loop.index }}/{{ loop.length }} [{{ one.id }}] {{ one.at }} {{ one.text|trim|upper }}
{% else %}
none
{% endfor %}
{% elif not known %}
{{ known|length }}
{% endif %}
{{ "long" if "上海" in content else content|truncate(length=5) }}
{{ content }}"""
    check(draft(template=text))

    assert render(text, VARIABLES).splitlines() == [
        f"现在 {NOW}",
        "1/2 [passage-1] 2026-01-01 住北京",
        "2/2 [passage-2] 2026-02-02 DRINKS TEA",
        "long",
        "我搬到上海了",
    ]
    assert render(text, {**VARIABLES, "known": []}).splitlines() == ["0", "long", "我搬到上海了"]


def test_values_are_shown_as_they_are_and_are_no_templates() -> None:
    hostile = "{{ content.__class__ }} {% include 'x' %} <b>&amp; \\x00 {0.__class__} %s"
    shown = render("{{ content }}|{{ now }}", {**VARIABLES, "content": hostile})
    assert shown == f"{hostile}|{NOW}"


def test_what_it_renders_to_is_bounded_and_so_is_the_time() -> None:
    many = [{"id": "p", "text": "x" * 1000, "at": "2026"}] * 5000
    template_of = "{{ content }}" * 300 + "{% for k in known %}" + "{{ k.text }}" * 200
    began = time.thread_time()
    for known in ([], many):
        with pytest.raises(InvalidSkill, match=f"more than {MAX_RENDERED:,} characters"):
            render(
                template_of + "{% endfor %}", {**VARIABLES, "content": "y" * 10_000, "known": known}
            )
    assert time.thread_time() - began < 2


def test_a_value_is_text_whatever_it_was() -> None:
    class Sly:
        text = "secret"

        def __str__(self) -> str:
            return "sly"

    assert render("{{ content }}", {**VARIABLES, "content": Sly()}) == "sly"
    known = [{"id": Sly(), "text": Sly(), "at": 3, "more": Sly()}]
    text = "{% for k in known %}{{ k.id }}{{ k.at }}{% endfor %}"
    assert render(text, VARIABLES | {"known": known}) == "sly3"


PIECES = (
    "{{ }} {% %} {# #} if else elif endif for in endfor known content k . [ ] ( ) | , : =="
    " < not and or is defined none loop index text id at __class__ upper truncate"
    " length 1 0.5 1e999 'a' \"b\""
    " {{-  -%} ~ * ** % + - / // set macro raw endraw recursive k.text loop.first 'é' \\x00 = true"
).split()


def test_whatever_is_written_is_checked_or_refused() -> None:
    random = Random(5)
    refused = 0
    for _ in range(3000):
        parts = [random.choice(PIECES) for _ in range(random.randint(1, 12))]
        wrapped = random.choice(
            ("{}", "{{{{ {} }}}}", "{{% if {} %}}a{{% endif %}}", "{{% for {} %}}")
        )
        text = "{{ content }}" + wrapped.format(" ".join(parts))
        try:
            check(draft(template=text))
        except InvalidSkill:
            refused += 1
        else:
            assert "上海" in render(text, VARIABLES)
    assert 1000 < refused < 2999


def test_the_sandbox_has_no_globals_and_few_filters() -> None:
    made = template.environment()
    assert made.globals == {}
    assert set(made.filters) == set(template.FILTERS)
    assert set(made.tests) == set(template.TESTS)
