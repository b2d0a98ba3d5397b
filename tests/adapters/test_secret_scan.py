import random
import string

import pytest

from ops_pipelines.adapters.secret_scan import find_secrets

# Put together here, so that nobody's scanner takes this file for a leak.
AWS = "AKIA" + "IOSFODNN7REALKEY"
GITHUB = "ghp_" + "0123456789abcdefghij0123456789abcdef"
PROSE = """\
You answer from the runbooks only. Cite [rollback.md#2], and never test_blocks_release_when_the_judge_never_ran_2_times.
model: claude-sonnet-4-5-20250929
release 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 of 2026-11-26T12:00:00Z
uuid 6b4a9fdd-cdc1-4c27-b1b2-8e829737114e
"""


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (f"Use {AWS} for it.", "AWS Access Key"),
        (f"token {GITHUB}", "GitHub Token"),
        ("-----BEGIN RSA " + "PRIVATE KEY-----", "Private Key"),
        ("Authorization: Bearer sk-proj-" + "Ab3dEf7hIjKlm9nOpQrStUv5xYz012", "Base64 High Entropy String"),
    ],
)
def test_a_secret_is_found_on_its_line(line, kind):
    assert (3, kind) in find_secrets(f"Be kind.\n\n{line}\n")


def test_prose_names_digests_and_times_are_no_secrets():
    assert find_secrets(PROSE) == ()


def test_a_line_that_says_so_is_not_looked_at():
    assert find_secrets(f"{AWS} # pragma: allowlist secret") == ()


def test_most_random_words_of_32_characters_are_found_and_what_was_found_is_never_shown():
    draw = random.Random(1)
    words = ["".join(draw.choices(string.ascii_letters + string.digits, k=32)) for _ in range(200)]
    found = [find_secrets(f"use {word} now") for word in words]
    assert sum(map(bool, found)) >= 195
    assert not any(word in str(one) for word, one in zip(words, found, strict=True))


@pytest.mark.parametrize("at", [0, 650, 699, 700, 990, 1400, 5000])
def test_a_secret_anywhere_in_a_very_long_line_is_found(at):
    line = f"{'a ' * (at // 2)} {AWS} {'b ' * 3000}"
    assert (2, "AWS Access Key") in find_secrets(f"\n{line}")
