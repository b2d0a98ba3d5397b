"""What takes secrets and personal data out of what a home keeps, by the key of that home."""

import os
import secrets
import uuid
from contextlib import suppress
from functools import cache, partial
from pathlib import Path

from ops_pipelines.adapters.secret_scan import find_secrets
from ops_pipelines.agentops.redaction import Redactor
from ops_pipelines.agentops.secrets_out import SecretsOut


@cache
def redactor_of(home: Path, *, secrets_only: bool = False) -> Redactor:
    """What takes out what is known to be a secret and, without `secrets_only`, what tells who somebody is."""
    return Redactor(find_secrets, _key(home), secrets_only)


def secrets_out_of(home: Path) -> SecretsOut:
    """What takes secrets out of calls that are kept; the home is not touched before there is one."""
    return SecretsOut(partial(redactor_of, home, secrets_only=True))


@cache
def _key(home: Path) -> bytes:
    """What tells two redacted things apart in the logs of a home; random, and made at the first use."""
    file, aside = home / "redaction.key", home / f".redaction.key.{uuid.uuid4().hex}"
    if not file.exists():
        home.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as made:
            made.write(secrets.token_bytes(32))
        with suppress(FileExistsError):  # of those who make one at once the first one's stays
            os.link(aside, file)
        aside.unlink()
    return file.read_bytes()
