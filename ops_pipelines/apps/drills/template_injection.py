"""D25: a user's question is itself a template, and the server that renders it hands out what it knows.

Prompt libraries rendered templates with Jinja as it comes, and put what users wrote into the template's own text. So a
question could read the process's secrets (and run commands), and a template from a stranger could do the same or never end.
The secret here is a variable of this module, which the attack reaches by way of Python's own modules.
"""

from pathlib import Path

from ops_pipelines.apps.drills.drill import Drill, Outcome

SECRET = "the key of the payments system"
_TO_SECRET = "__init__.__globals__['__builtins__']['__import__']('sys').modules['" + __name__ + "'].SECRET"
ATTACK = "{{ cycler." + _TO_SECRET + " }}"
"""What a user asks."""
POISONED = {
    "reads what is inside Python": "{{ question.__class__ }}",
    "calls": ATTACK,
    "never ends": "{% for i in range(10**9) %}{% endfor %}",
    "takes all memory": "{{ 'x' * 10**10 }}",
    "reads files": "{% include '/etc/passwd' %}",
}
"""Templates from a stranger, by what they do."""
PROMPT = """
provider: extractive
model: extractive-1
variables: {question: text}
messages:
  - role: user
    content: |
      Answer kindly. Question: {{ question }}
"""


def unguarded(folder: Path) -> Outcome:
    """What a team writes: the question is pasted into the text of a template, which Jinja renders."""
    from jinja2 import Template

    del folder
    sent = Template(f"Answer kindly. Question: {ATTACK}").render()
    return Outcome(
        harmed=SECRET in sent,
        caught=False,
        reason=f"the provider was sent: {sent}",
        evidence={"asked": ATTACK, "sent": sent},
    )


def guarded(folder: Path) -> Outcome:
    """The same question as a value of a Prompt, and the strangers' templates as prompts that are linted and rendered."""
    from ops_pipelines.adapters.secret_scan import find_secrets
    from ops_pipelines.llmops.prompt_lint import judge_prompt, lint_prompt
    from ops_pipelines.llmops.prompt_text import read_prompt_text

    del folder
    prompt = read_prompt_text("answers", PROMPT).prompt
    assert prompt is not None
    (sent,) = prompt.render({"question": ATTACK})
    judged = {}
    for does, template in POISONED.items():
        read = read_prompt_text("answers", PROMPT.replace("{{ question }}", f"{{{{ question }}}} {template}"))
        judged[does] = judge_prompt(read, lint_prompt(read, find_secrets))
    refusals = {does: _refusal(prompt.messages[0].content + POISONED[does]) for does in POISONED}
    reasons = {does: "; ".join(getattr(verdict, "reasons", ())) for does, verdict in judged.items()}
    return Outcome(
        harmed=SECRET in sent.content or not sent.content.endswith(f"{ATTACK}\n"),
        caught=all(reasons.values()) and all(refusals.values()),
        reason="; ".join(reasons.values()),
        evidence={"sent": sent.content, "refused": reasons},
    )


DRILL = Drill(
    number="D25",
    name="template injection",
    incident="a prompt's text was rendered as a template with the full powers of Python, and ran what strangers wrote",
    source="langchain-ai/langchain#4394 (CVE-2023-36281), CVE-2024-34359, CVE-2026-5760",
    names="nothing inside Python is reached",
    unguarded=unguarded,
    guarded=guarded,
)


def _refusal(template: str) -> str:
    """Why rendering a template is refused; empty where it was rendered."""
    from ops_pipelines.llmops.template import TemplateError, render

    try:
        render(template, {"question": "x"})
    except TemplateError as error:
        return str(error)
    return ""
