import io
import zipfile

import pytest

from ops_pipelines.adapters.archive import pack, unpack

ENTRIES = {"b/model.bin": b"\x00\x01", "a.json": b"{}"}


def zipped(*named, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, content in named:
            file.writestr(name, content)
    return buffer.getvalue()


def test_what_is_packed_comes_back():
    assert unpack(pack(ENTRIES)) == ENTRIES


def test_the_order_of_the_entries_does_not_matter():
    assert pack(dict(reversed(ENTRIES.items()))) == pack(ENTRIES)


def test_nothing_may_be_packed():
    assert unpack(pack({})) == {}


@pytest.mark.parametrize(
    "name", ["../x", "/x", "a/../x", "a//x", "a/", ".", "..", ".hidden", "C:\\x", "a\\..\\x", "a\nb"]
)
def test_a_name_that_leads_elsewhere_is_refused(name):
    with pytest.raises(ValueError, match="an entry is named"):
        unpack(zipped((name, b"x")))


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"x" * 100, pack(ENTRIES)[:-1], pack(ENTRIES)[5:], pack(ENTRIES) + b"x"]
)
def test_other_bytes_are_refused(content):
    with pytest.raises(ValueError, match=r"."):
        unpack(content)


def test_an_archive_of_today_is_of_another_form():
    with pytest.raises(ValueError, match="another form"):
        unpack(zipped(("a.json", b"{}")))


def test_a_compressed_archive_is_refused_before_it_is_unpacked():
    bomb = zipped(("a.bin", bytes(10_000_000)), compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="is compressed"):
        unpack(bomb)


def test_a_second_entry_of_a_name_is_refused():
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = zipped(("a.json", b"{}"), ("a.json", b"[]"))
    with pytest.raises(ValueError, match="another form"):
        unpack(twice)
