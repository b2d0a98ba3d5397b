"""What `ops doctor` looks at for models that nobody here owns: the provider, the corpora, and the prompts that answer."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ops_pipelines.cli.finding import BAD, GOOD, ODD, Finding
from ops_pipelines.core.errors import ConfigError, OpsError

if TYPE_CHECKING:
    from ops_pipelines.adapters.corpora import Corpora, CorpusSpec
    from ops_pipelines.adapters.declared import Declared
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.llmops.provider_pin import ProviderPin

_PATIENCE_SECONDS = 10.0


def provider(_platform: "Platform") -> Iterator[Finding]:
    """Who answers where a release names nobody else, and where; never with what key. Nothing is asked."""
    from ops_pipelines.adapters.chat_models import default_pin
    from ops_pipelines.llmops import extractive

    pin = default_pin()
    offline = pin.provider == extractive.PROVIDER
    what = "answers offline" if offline else f"at {_host(os.environ)}; `ops doctor --ask` asks it"
    yield Finding("provider", GOOD, f"{pin.provider}/{pin.model} {what}")


def asked_provider(_platform: "Platform") -> Iterator[Finding]:
    """Whether the provider answers a question of a few tokens now, with the model that it was asked for."""
    import asyncio

    from ops_pipelines.adapters.chat_models import default_pin
    from ops_pipelines.llmops.chat_model import ChatError

    pin = default_pin()
    try:
        took = asyncio.run(_ask(pin))
    except ChatError as error:
        yield Finding("provider", BAD, error.wrong, error.action)
        return
    yield Finding("provider", GOOD, f"{pin.provider}/{pin.model} answered in {took:.0f} ms")


def corpora(platform: "Platform") -> Iterator[Finding]:
    """Whether each corpus has a snapshot, and whether it was embedded as it would be now."""
    from ops_pipelines.adapters.corpora import Corpora, spec_of

    declared = _declared(platform).kinds.get("Corpus", {})
    found = Corpora(platform.project.home)
    for name, attributes in sorted(declared.items()):
        try:
            yield _corpus(found, spec_of(attributes, platform.project.root))
        except OpsError as error:
            yield Finding(name, BAD, error.wrong, error.action)


def prompts(platform: "Platform") -> Iterator[Finding]:
    """The prompts of which no release was ever made; what is live of the others is told with all releases."""
    has_control = (platform.project.home / "control.db").is_file()
    released = platform.releases.systems() if has_control else ()
    for name in sorted(_declared(platform).kinds.get("Prompt", {})):
        if name not in released:
            yield Finding(
                name, ODD, "nothing was released", f"`ops materialize 'key:\"{name}/*\"'`, then `ops promote`"
            )


def _corpus(found: "Corpora", spec: "CorpusSpec") -> Finding:
    """The finding of one corpus; EmbeddingPinMismatch where another embedder is declared than filled its index."""
    from ops_pipelines.core.fingerprint import short
    from ops_pipelines.llmops.corpus_index import latest_of
    from ops_pipelines.llmops.embedding_pin import check_pin

    latest = latest_of(found.index(spec.name))
    if latest is None:
        return Finding(spec.name, ODD, "no snapshot was taken yet", f"`ops materialize 'key:\"{spec.name}/snapshot\"'`")
    check_pin(spec.name, latest.pin, found.embedder(spec).pin(), asks="query")
    count = len(latest.documents)
    return Finding(spec.name, GOOD, f"{count} documents at {short(latest.digest)}, embedded by {latest.pin}")


def _declared(platform: "Platform") -> "Declared":
    """What the project's YAML declares; nothing where that cannot be told, which the definitions are asked for."""
    from ops_pipelines.adapters.declared import Declared, declared_in
    from ops_pipelines.cli.dg_project import make_importable, read_dg_project

    try:
        folder = read_dg_project(platform.project.root).defs_folder
    except ConfigError:
        return Declared()
    make_importable(platform.project.root)
    return declared_in(folder)


async def _ask(pin: "ProviderPin") -> float:
    """How many milliseconds an answer took."""
    from ops_pipelines.adapters.chat_models import chat_model_of
    from ops_pipelines.llmops.chat_model import ChatRequest, Message
    from ops_pipelines.llmops.passages import Passage, render_passages
    from ops_pipelines.llmops.retry_budget import RetryBudget

    chat = chat_model_of(pin, budget=RetryBudget(attempts=1), attempt_seconds=_PATIENCE_SECONDS)
    known = render_passages([Passage("doctor.md", "1", "The provider answers.")])
    question = Message("user", f"Passages:\n{known}\n\nQuestion: Does the provider answer?")
    return (await chat.complete(ChatRequest(pin.model, (question,)))).latency_ms


def _host(environ: "os._Environ[str]") -> str:
    """Where the provider is, without a name, a password or a query that an address may hold."""
    address = urlsplit(environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1"))
    port = f":{address.port}" if address.port else ""
    return f"{address.scheme}://{address.hostname}{port}{address.path}"
