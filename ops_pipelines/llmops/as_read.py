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
# Letters of Cyrillic and Greek, quotes and dashes, by number: nobody could tell them from what they become.
_LOOKS_LIKE = str.maketrans(
    "\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445\u0456\u0455\u0458\u0501\u04bb\u04cf"
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0406\u0405\u0408"
    "\u03b1\u03bf\u03c1\u03bd\u03b9\u03ba\u03c4\u03c5"
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7"
    "\u2018\u2019\u02bc\u2032\u201c\u201d\u201e\u2010\u2011\u2012\u2013\u2014\u2212",
    "abekmhopctyxisjdhlABEKMHOPCTYXISJaopviktuABEZHIKMNOPTYX" + "'" * 4 + '"' * 3 + "-" * 6,
)


def as_read(text: str) -> str:
    r"""The text as it is read. Its characters stand at other places than they did.

    >>> as_read("\uff29gn\u200bore \u0430ll")
    'Ignore all'
    """
    return unicodedata.normalize("NFKC", text.translate(_UNSEEN)).translate(_LOOKS_LIKE).translate(_UNSEEN)
