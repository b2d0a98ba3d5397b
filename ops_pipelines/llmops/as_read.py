"""A text as its reader takes it: one letter for each way of writing it, and nothing that nobody sees.

Full-width letters, ligatures and mathematical alphabets become plain ones (NFKC), letters of other scripts that look like
Latin ones become these, and characters without width are gone. For comparing and judging only: what is shown to people or
stored stays as it was written.
"""

import unicodedata

_UNSEEN = dict.fromkeys(
    (
        *(0x00AD, 0x034F, 0x061C, 0x180E, 0xFEFF, 0x3164, 0xFFA0),
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
        *range(0xFE00, 0xFE10),
        *range(0xE0000, 0xE01F0),
    )
)
_LOOKS_LIKE = str.maketrans(
    "авекмнорстухіѕјԁһӏАВЕКМНОРСТУХІЅЈαορνικτυΑΒΕΖΗΙΚΜΝΟΡΤΥΧ‘’ʼ′“”„‐‑‒–—−",
    "abekmhopctyxisjdhlABEKMHOPCTYXISJaopviktuABEZHIKMNOPTYX''''\"\"\"------",
)


def as_read(text: str) -> str:
    """The text as it is read. Its characters stand at other places than they did.

    >>> as_read("\\uff29gn\\u200bore  аll")
    'Ignore  all'
    """
    return unicodedata.normalize("NFKC", text.translate(_UNSEEN)).translate(_LOOKS_LIKE).translate(_UNSEEN)
