"""`ops prompt list|show|diff|lint|cost`: what models are asked, what changed in it, and what is wrong with it.

`lint` is what the pre-commit hook `ops-prompt-lint` runs: it takes names, files, or nothing for every prompt.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli import COULD_NOT_TELL, DONE, REFUSED
from ops_pipelines.cli.output import AsJson, show
from ops_pipelines.cli.prompt_cost import project_cost

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform

app = typer.Typer()
prompt = typer.Typer(
    help="list, show, diff, lint or cost: what models are asked.", no_args_is_help=True, suggest_commands=False
)
app.add_typer(prompt, name="prompt")
prompt.command("cost")(project_cost)
Name = Annotated[str, typer.Argument(help="The prompt, for instance runbook_answers.")]
_REFERENCE = "`file`, the first digits of an id that was materialized, or a revision of git"


@app.callback()
def _family() -> None:
    pass


@prompt.command("list")
def list_prompts(as_json: AsJson = False) -> None:
    """One line a prompt: its id, whom it asks, its tokens, and whether it is materialized as it is."""
    from ops_pipelines.adapters.prompt_files import prompt_files

    platform = _platform()
    rows = [_row(platform, name, file) for name, file in prompt_files(platform.project).items()]
    show(rows, title="prompts", as_json=as_json)


@prompt.command("show")
def show_prompt(
    name: Name,
    at: Annotated[str, typer.Option(help=f"Which version: {_REFERENCE}.")] = "file",
    values: Annotated[
        Path | None, typer.Option(help="A JSON file of values: show the messages with them in their places.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """One prompt in full; with values, what would be sent."""
    from ops_pipelines.adapters.prompt_files import prompt_at

    platform = _platform()
    found = prompt_at(platform.project, platform.lake, name, at)
    known: dict[str, Any] = {"name": name, "id": found.id, **found.to_json()}
    if values:
        sent = found.render(_values(values))
        known["messages"] = [{"role": message.role, "content": message.content} for message in sent]
    if as_json:
        show([known], as_json=True)
        return
    for part in ("name", "id", "provider", "model", "parameters", "variables", "response_schema"):
        print(f"{part}: {known[part] if isinstance(known[part], str) else json.dumps(known[part], ensure_ascii=False)}")
    for message in known["messages"]:
        print(f"\n[{message['role']}]\n{message['content'].rstrip()}")


@prompt.command("diff")
def diff_versions(
    name: Name,
    before: Annotated[
        str | None,
        typer.Argument(help=f"The earlier one: {_REFERENCE}. Without it git's HEAD, or what was recorded last."),
    ] = None,
    after: Annotated[str, typer.Argument(help=f"The later one: {_REFERENCE}.")] = "file",
    as_json: AsJson = False,
) -> None:
    """What changed in a prompt: its parts, its text line by line, and how many tokens more it is."""
    from ops_pipelines.adapters.prompt_files import earlier_prompt, prompt_at
    from ops_pipelines.llmops.prompt_diff import diff_prompts

    platform = _platform()
    first = earlier_prompt(platform.project, platform.lake, name, before)
    second = prompt_at(platform.project, platform.lake, name, after)
    found = diff_prompts(first, second)
    if as_json:
        show([found.to_json()], as_json=True)
    else:
        print(found.to_text())


@prompt.command("lint")
def lint_prompts(
    prompts: Annotated[list[str] | None, typer.Argument(help="Names or files; every prompt without.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option(help="The most tokens of its text without values, by an estimate.", min=1)
    ] = None,
    max_growth: Annotated[
        int | None, typer.Option(help="The most tokens that it may grow by since git's HEAD.", min=0)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Variables, secrets, unsafe templates and tokens of prompts. Exit 1 where something is wrong, 3 without a prompt."""
    from ops_pipelines.adapters.prompt_files import prompt_files

    platform = _platform()
    files = [_file(platform, named) for named in prompts or []] or list(prompt_files(platform.project).values())
    linted = [_linted(platform, file, max_tokens, max_growth) for file in dict.fromkeys(files)]
    if as_json or not linted:
        show(linted, title="prompts", as_json=as_json)
    else:
        _print_linted(linted)
    wrong = any(one["findings"] for one in linted)
    raise typer.Exit(REFUSED if wrong else DONE if linted else COULD_NOT_TELL)


def _platform() -> "Platform":
    from ops_pipelines.adapters.platform import Platform

    return Platform.embedded()


def _row(platform: "Platform", name: str, file: Path) -> dict[str, Any]:
    from ops_pipelines.adapters.prompt_files import read_prompt_file
    from ops_pipelines.core.fingerprint import short
    from ops_pipelines.llmops.tokens import estimate_tokens

    read, good = read_prompt_file(file), platform.lake.good(f"{name}/prompt")
    found = read.prompt
    if found is None:
        return {"prompt": name, "id": "unreadable", "asks": "", "tokens": "", "materialized": "no: see ops prompt lint"}
    return {
        "prompt": name,
        "id": short(found.id),
        "asks": f"{found.provider}/{found.model}",
        "tokens": estimate_tokens(found.fixed_text()),
        "materialized": "yes" if good and good.digest == found.id else "another version" if good else "no",
    }


def _values(file: Path) -> dict[str, Any]:
    from ops_pipelines.core.errors import ConfigError

    try:
        read, why = json.loads(file.read_text(encoding="utf-8")), "no mapping"
    except (OSError, ValueError) as error:
        read, why = None, str(error)
    if isinstance(read, dict):
        return read
    raise ConfigError(
        f"{file} holds no values: {why}", expected="a JSON mapping of variables to values", action="Correct the file"
    )


def _file(platform: "Platform", named: str) -> Path:
    """The file of a name, or the file itself."""
    from ops_pipelines.adapters.prompt_files import prompt_file

    return Path(named).resolve() if "/" in named or named.endswith(".yaml") else prompt_file(platform.project, named)


def _linted(platform: "Platform", file: Path, max_tokens: int | None, max_growth: int | None) -> dict[str, Any]:
    """The findings of one file, its tokens and how many more they are than at HEAD (None where it is new)."""
    from ops_pipelines.adapters.prompt_files import read_prompt_file
    from ops_pipelines.adapters.secret_scan import find_secrets
    from ops_pipelines.llmops.prompt_lint import judge_growth, lint_prompt
    from ops_pipelines.llmops.prompt_text import read_prompt_text
    from ops_pipelines.llmops.tokens import estimate_tokens

    read = read_prompt_file(file)
    text = platform.project.text_at("HEAD", file)
    before = read_prompt_text(read.name, text).prompt if text else None
    grown = judge_growth(before, read, max_growth)
    findings = [*lint_prompt(read, find_secrets, max_tokens=max_tokens), *grown]
    tokens = [estimate_tokens(one.fixed_text()) if one else None for one in (before, read.prompt)]
    return {
        "prompt": read.name,
        "file": str(file.relative_to(Path.cwd())) if file.is_relative_to(Path.cwd()) else str(file),
        "tokens": tokens[1],
        "more": tokens[1] - tokens[0] if tokens[0] is not None and tokens[1] is not None else None,
        "findings": [{"line": found.line, "rule": found.rule, "message": found.message} for found in findings],
    }


def _print_linted(linted: list[dict[str, Any]]) -> None:
    """One line a finding, as compilers write them, and one a prompt."""
    for one in linted:
        for found in one["findings"]:
            print(f"{one['file']}:{found['line']}: {found['rule']}: {found['message']}")
        since = "" if one["more"] is None else f", {one['more']:+} since HEAD"
        size = "unreadable" if one["tokens"] is None else f"about {one['tokens']} tokens{since}"
        many = len(one["findings"])
        print(f"{one['file']}: {many or 'no'} finding{'' if many == 1 else 's'}, {size}")
