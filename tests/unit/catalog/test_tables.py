"""CSV and TSV: delimiters, quotes, encodings, rows that do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.catalog import FeedFormat, open_feed
from indexer.catalog.rows import MAX_FIELDS, MAX_ROW_CHARS
from indexer.errors import FeedError, FeedUnreadable
from indexer.products import CatalogProduct, RowError
from tests.unit.catalog.feeds import only_error, only_product, read, read_bytes, write

HEADER = "id,title,image_link\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_found_in_the_header(tmp_path: Path, delimiter: str) -> None:
    header = delimiter.join(["id", "title", "image", "price", "color"])
    row = delimiter.join(["1", '"A, B; C| D\tE"', "a.jpg", "12.90 EUR", "red"])
    product = only_product(read_bytes(tmp_path, f"{header}\n{row}"))
    assert (product.title, product.price_minor) == ("A, B; C| D E", 1290)
    assert product.attributes == {"color": "red"}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_end_and_quoted_line_breaks_are_read(tmp_path: Path, end: str) -> None:
    content = f'id,title,image_link,description{end}1,Mug,a.jpg,"one{end}two ""three"""{end}{end}2,Cup,b.jpg,{end}'
    first, second = read_bytes(tmp_path, content)
    assert isinstance(first, CatalogProduct)
    assert isinstance(second, CatalogProduct)
    assert first.description == 'one two "three"'
    assert (first.line, second.line) == (2, 5)


def test_google_tsv_with_names_as_its_templates_write_them(tmp_path: Path) -> None:
    content = (
        "ID [id]\tTitle [title]\tImage link\tAdditional image link\tPrice\tAvailability\tAge group\n"
        'm1\tMug 12" tall\thttps://x.example/a.jpg\thttps://x.example/b.jpg,https://x.example/c.jpg'
        "\t5 EUR\tin stock\tadult\n"
    )
    path = write(tmp_path, content)
    assert open_feed(path).format is FeedFormat.GOOGLE_TSV
    product = only_product(read(path))
    assert product.title == 'Mug 12" tall'
    assert len(product.image_refs) == 3
    assert (product.price_minor, product.in_stock) == (500, True)
    assert product.attributes == {"age_group": "adult"}


def test_price_and_currency_may_be_columns_of_their_own(tmp_path: Path) -> None:
    content = "id,title,image,price,currency\n1,A,a.jpg,12.90,EUR\n2,B,b.jpg,500,JPY\n3,C,c.jpg,,EUR\n4,D,d.jpg,7,\n"
    products = [entry for entry in read_bytes(tmp_path, content) if isinstance(entry, CatalogProduct)]
    assert [(p.price_minor, p.currency) for p in products] == [(1290, "EUR"), (500, "JPY"), (None, ""), (None, "")]
    assert [dict(p.attributes) for p in products] == [{}, {}, {}, {"price": "7"}]


@pytest.mark.parametrize(
    ("encoding", "note"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-16", ""),
        ("utf-16-le", ""),
        ("utf-16-be", ""),
        ("windows-1251", "windows-1251"),
    ],
)
def test_encodings_of_cyrillic_tables_are_told_apart(tmp_path: Path, encoding: str, note: str) -> None:
    path = write(tmp_path, f"{HEADER}1,Кружка №1,images/кружка.jpg\n".encode(encoding))
    feed = open_feed(path)
    product = only_product(list(feed))
    assert (product.title, product.image_refs) == ("Кружка №1", ("images/кружка.jpg",))
    assert bool(feed.notes) is bool(note)
    assert note in "".join(feed.notes)


def test_western_table_that_is_not_utf_8_is_windows_1252_and_the_feed_says_so(tmp_path: Path) -> None:
    feed = open_feed(write(tmp_path, f"{HEADER}1,Café à l’écran – 5 €,a.jpg\n".encode("windows-1252")))
    assert only_product(list(feed)).title == "Café à l’écran – 5 €"
    assert feed.notes == ("The file is not valid UTF-8; it is read as windows-1252.",)


def test_utf_8_with_some_broken_characters_stays_utf_8(tmp_path: Path) -> None:
    rows = "".join(f"{number},Кружка,a.jpg\n" for number in range(5))
    content = f"{HEADER}{rows}".encode() + b"9,Bad \xe9 byte,a.jpg\n10,Cup,a.jpg\n"
    *products, error, last = read_bytes(tmp_path, content)
    assert all(isinstance(p, CatalogProduct) and p.title == "Кружка" for p in products)
    assert error == RowError(7, "9", "title: holds the byte 0xE9, which is not valid in the file's encoding.")
    assert isinstance(last, CatalogProduct)


def test_row_with_the_wrong_number_of_cells_is_an_error(tmp_path: Path) -> None:
    content = f"{HEADER}1,Mug,with a comma,a.jpg\n2,short\n\n,,\n3,Cup,b.jpg\n"
    long, short, product = read_bytes(tmp_path, content)
    assert isinstance(long, RowError)
    assert (long.line, long.product_id) == (2, "1")
    assert long.reason.startswith("the row has 4 cells and the header 3 columns")
    assert isinstance(short, RowError)
    assert (short.line, short.product_id) == (3, "2")
    assert isinstance(product, CatalogProduct)
    assert product.line == 6


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("name,image_link,price", "no column for id; its columns are 'name', 'image_link', 'price'"),
        ("id,image_link", "no column for title"),
        ("id,title", "no column for image_link"),
        ("12345,Mug,images/mug.jpg", "no column for id and title and image_link"),
    ],
)
def test_table_without_the_columns_every_row_needs_is_unreadable(tmp_path: Path, header: str, words: str) -> None:
    with pytest.raises(FeedUnreadable, match=words) as caught:
        open_feed(write(tmp_path, f"{header}\n1,a,b\n", "feed.csv"))
    assert "id, title and image_link" in caught.value.remedy


def test_table_with_a_header_only_has_no_rows(tmp_path: Path) -> None:
    assert read_bytes(tmp_path, HEADER) == []
    assert read_bytes(tmp_path, HEADER.rstrip()) == []


def test_quote_that_is_not_closed_costs_the_rows_it_swallows_and_no_more(tmp_path: Path) -> None:
    rows = "".join(f"{number},Mug {'x' * 90},a.jpg\n" for number in range(100, 3000))
    error, *products = read_bytes(tmp_path, f'{HEADER}1,"Mug,a.jpg\n{rows}')
    assert isinstance(error, RowError)
    assert error.line == 2
    assert "lines 2 to" in error.reason
    assert "quote" in error.reason
    assert len(products) > 1000
    assert all(isinstance(product, CatalogProduct) for product in products)


def test_line_larger_than_the_limit_is_an_error_and_the_next_one_is_read(tmp_path: Path) -> None:
    giant = f"1,{'x,' * MAX_ROW_CHARS}\n"
    error, product = read_bytes(tmp_path, f"{HEADER}{giant}2,Cup,b.jpg\n")
    assert error == RowError(2, "", "the row in line 2 is larger than 4 MiB; perhaps a quote is not closed.")
    assert isinstance(product, CatalogProduct)
    assert (product.product_id, product.line) == ("2", 3)


def test_row_of_many_lines_is_limited_too(tmp_path: Path) -> None:
    cells = '"line\n",' * (MAX_ROW_CHARS // 6)
    entries = read_bytes(tmp_path, f'{HEADER}1,{cells}"end"\n2,Cup,b.jpg\n')
    assert isinstance(entries[0], RowError)
    assert "larger than 4 MiB" in entries[0].reason
    assert isinstance(entries[-1], CatalogProduct)


def test_header_of_too_many_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FeedError):
        open_feed(write(tmp_path, HEADER.rstrip() + ",x" * MAX_FIELDS + "\n", "feed.csv"))


def test_columns_that_come_twice_and_pictures_in_many_columns_all_count(tmp_path: Path) -> None:
    content = "id,title,image,image_2,images,color,color,\n1,A,a.jpg,b.jpg,c.jpg;d.jpg,red,blue,unnamed\n"
    product = only_product(read_bytes(tmp_path, content))
    assert product.image_refs == ("a.jpg", "b.jpg", "c.jpg", "d.jpg")
    assert product.attributes == {"color": "red", "color:2": "blue"}


def test_attributes_named_like_internal_keys_are_attributes(tmp_path: Path) -> None:
    product = only_product(read_bytes(tmp_path, "id,title,image_link,TITLE,CATEGORY:2\n1,A,a.jpg,B,C\n"))
    assert (product.title, product.category) == ("A", ())
    assert product.attributes == {"title": "B", "category:2": "C"}


def test_error_line_of_a_row_behind_a_bad_one_is_right(tmp_path: Path) -> None:
    error = only_error(read_bytes(tmp_path, f'{HEADER}"1\n",Mug,a.jpg\n'.replace('"1\n"', '"1\n2"')))
    assert error == RowError(2, "", "id: holds the control character U+000A.")
