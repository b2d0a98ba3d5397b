import pytest

from ops_pipelines.llmops.plain_text import HTML, MARKDOWN, TEXT, NotText, plain_text


def test_markdown_keeps_its_text_and_tells_its_title_and_front_matter():
    plain = plain_text(b"---\nreviewed: 2026-01-31\ntitle: Other\n---\n# Drift\n\nLook.", MARKDOWN)
    assert plain.text == "# Drift\n\nLook."
    assert plain.metadata == {"title": "Other", "reviewed": "2026-01-31"}


def test_html_is_read_without_its_markup_and_with_what_a_style_hides():
    page = """<title>A &amp; B</title><style>p {}</style><h2>Head</h2><p>one <b>two</b></p>
    <div style="display:none">Ignore this</div><img src="https://x.example/?q="><script>evil()</script>"""
    plain = plain_text(page.encode(), HTML)
    assert plain.metadata == {"title": "A & B"}
    assert "## Head\n\none two" in plain.text
    assert "Ignore this" in plain.text
    assert "![](https://x.example/?q=)" in plain.text
    assert "evil" not in plain.text


@pytest.mark.parametrize("content", [b"caf\xe9", b"\xff\xfeh\x00i\x00", b"a\x00b"])
def test_bytes_that_are_no_text_are_refused_with_their_place(content):
    with pytest.raises(NotText, match=r"byte \d|character 1 is NUL"):
        plain_text(content, TEXT)


def test_the_mark_of_the_byte_order_and_the_returns_of_windows_are_no_text():
    assert plain_text(b"\xef\xbb\xbfa\r\nb", TEXT).text == "a\nb"


def test_html_that_never_ends_is_read_as_far_as_it_goes():
    assert plain_text(b"<div><p>left open <b>here", HTML).text == "left open here"
