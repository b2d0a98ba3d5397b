import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.llmops.template import (
    MAX_RENDERED_CHARS,
    MAX_TEMPLATE_CHARS,
    RenderError,
    TemplateError,
    fixed_text,
    names_in,
    problems_of,
    render,
)

PASSAGES = "{% for passage in passages %}\n[{{ passage.id }}] {{ passage.text }}\n{% endfor %}\n"
REFUSED = {
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}": "a call",
    "{{ q.__class__ }}": "'__class__' begins with an underscore",
    "{{ q['__class__'] }}": "'__class__' begins with an underscore",
    "{{ _work }}": "'_work' begins with an underscore",
    "{{ q|attr('x') }}": "there is no filter 'attr'",
    "{{ q|upr }}": "Did you mean 'upper'?",
    "{{ q|trim(1) }}": "takes no argument",
    "{% for i in range(10**9) %}x{% endfor %}": "a call",
    "{% for i in q recursive %}{{ i }}{% endfor %}": "a loop is plain",
    "{{ 'a' * 1000000000 }}": "arithmetic",
    "{{ q ~ q }}": "arithmetic",
    "{% include 'secrets' %}": "another template",
    "{% import 'x' as x %}": "another template",
    "{% extends 'x' %}": "another template",
    "{% macro m() %}{{ m() }}{% endmacro %}": "a macro",
    "{% set x = 1 %}": "a variable is set",
    "{{ q if q }}": "a choice inside braces",
    "{% if q is string %}{% endif %}": "a test",
    "{% if a == b %}{% endif %}": "one of them is a text or a number",
    "{% if 'a' in b %}{% endif %}": "`in` searches",
    "{{ q[1:2] }}": "no slice",
    "{{ q[r] }}": "no key that is worked out",
    "{% filter upper %}x{% endfilter %}": "FilterBlock is no part",
    "{% block x %}{% endblock %}": "Block is no part",
    "{{ self.x }}": "'self' is Jinja's own name",
    "{{ q": "syntax",
    "{% for a in b %}": "syntax",
    "{{" + "(" * 500 + "q" + ")" * 500 + "}}": "nested too deeply",
    "{% for a in x %}" * 25 + "{% endfor %}" * 25: "nested too deeply",
    "x" * (MAX_TEMPLATE_CHARS + 1): "characters",
}


@pytest.mark.parametrize(("template", "why"), REFUSED.items(), ids=[text[:30] for text in REFUSED])
def test_what_is_outside_the_language_is_refused_when_it_is_read(template, why):
    assert any(why in problem.message for problem in problems_of(template))
    with pytest.raises(TemplateError, match="is refused"):
        render(template, {"q": "x"})


def test_each_problem_is_told_with_its_line():
    found = problems_of("fine\n{{ q.__class__ }}\n{% if a == b %}\n{% endif %}\n{{ range(3) }}")
    assert [problem.line for problem in found] == [2, 3, 5]


def test_values_are_placed_chosen_and_repeated():
    text = "Hi {{ name|upper }}.\n{% if count > 2 %}\nMany:\n{% endif %}\n" + PASSAGES
    passages = [{"id": "a#1", "text": "one"}, {"id": "b#2", "text": "two"}]
    assert render(text, {"name": "ann", "count": 3, "passages": passages}) == "Hi ANN.\nMany:\n[a#1] one\n[b#2] two\n"


@given(st.text(), st.text())
def test_a_value_comes_back_as_it_was_given_whatever_braces_stand_in_it(before, after):
    assert render("<{{ one }}|{{ two }}>", {"one": before, "two": after}) == f"<{before}|{after}>"


@given(st.lists(st.text(), max_size=5))
def test_the_items_of_a_list_come_back_as_they_were_given(texts):
    passages = [{"id": str(number), "text": text} for number, text in enumerate(texts)]
    expected = "".join(f"[{number}] {text}\n" for number, text in enumerate(texts))
    assert render(PASSAGES, {"passages": passages}) == expected


@pytest.mark.parametrize("attack", ["{{ 7 * 7 }}", "{% for x in y %}", "{# gone #}", "{{ q }}", "}} {{"])
def test_template_marks_inside_a_value_are_text(attack):
    assert render("Question: {{ q }}", {"q": attack}) == f"Question: {attack}"


def test_a_dot_reads_a_field_and_never_a_method_of_the_same_name():
    assert render("{{ row.items }} {{ row.keys }}", {"row": {"items": 3, "keys": "k"}}) == "3 k"
    with pytest.raises(RenderError, match="no attribute 'values'"):
        render("{{ row.values }}", {"row": {"items": 3}})
    with pytest.raises(RenderError, match="no attribute 'format'"):
        render("{{ text.format }}", {"text": "{0.__class__}"})


@pytest.mark.parametrize(
    ("template", "values", "why"),
    [
        ("{{ a }}", {}, "'a' is undefined"),
        ("{{ a }}", {"a": [1]}, "list cannot be placed as text"),
        ("{{ a }}", {"a": None}, "NoneType cannot be placed"),
        ("{{ a }}", {"a": True}, "bool cannot be placed"),
        ("{{ a|first }}", {"a": []}, "out of range"),
        ("{{ a|upper }}", {"a": [1]}, "list"),
        ("{{ a|tojson }}", {"a": float("nan")}, "JSON compliant"),
        ("{% for c in a %}{% endfor %}", {"a": "text"}, "a loop goes over a list"),
        ("{% if a > 1 %}{% endif %}", {"a": "x"}, "not supported"),
        ("{{ a }}", {"a": 10**5000}, "digits"),
    ],
)
def test_a_value_that_does_not_fit_is_an_error_that_says_why(template, values, why):
    with pytest.raises(RenderError, match=why):
        render(template, values)


@pytest.mark.parametrize(
    ("template", "values"),
    [
        ("{% for a in x %}{% for b in x %}{% endfor %}{% endfor %}", {"x": [1] * 5_000}),
        ("{% for a in x %}{{ big }}{% endfor %}", {"x": [1] * 1_000, "big": "x" * 10_000}),
        ("{% for a in x %}{% if big|length > 1 %}{% endif %}{% endfor %}", {"x": [1] * 1_000, "big": "x" * 10_000}),
        ("{{ big" + "|tojson" * 20 + " }}", {"big": '"' * 100_000}),
    ],
)
def test_work_without_end_is_stopped_and_not_waited_for(template, values):
    with pytest.raises(RenderError, match="does not end"):
        render(template, values)


def test_a_thousand_passages_are_well_within_the_bounds():
    passages = [{"id": f"doc#{number}", "text": "word " * 100} for number in range(1_000)]
    assert 500_000 < len(render(PASSAGES, {"passages": passages})) < MAX_RENDERED_CHARS


def test_the_names_that_a_template_takes_come_with_the_line_of_their_first_use():
    text = "{{ b }}\n{{ a }} {{ b }}\n{% for x in xs %}{{ x.y }}{{ loop.index }}{% endfor %}"
    assert dict(names_in(text)) == {"a": 2, "b": 1, "xs": 3}


def test_the_fixed_text_is_what_stands_there_whatever_the_values():
    assert fixed_text("Dear {{ name }}{# note #},\n{% if x %}\nbye\n{% endif %}\n") == "Dear ,\nbye\n"
