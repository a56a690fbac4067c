"""Tables in HTML: which of them hold data, to be set in columns, and which only lay out a page.

Inscriptis pads every cell to the widest of its column, so one long cell beside many rows would take any amount of
memory. Layout tables become plain blocks, and so does what would come out too large.
"""

import lxml.html

MAX_CELL = 200  # characters of text in a cell of data
MAX_COLUMNS = 20
MAX_AREA = 500_000  # characters that all data tables of a document may be padded to

_PARTS = ("thead", "tbody", "tfoot", "tr", "td", "th", "caption")


def flatten_tables(tree: lxml.html.HtmlElement) -> None:
    """Turn all tables but those of data into nested `div`s."""
    room = MAX_AREA
    for table in list(tree.iter("table")):
        area = _padded_size(table)
        if area is None or area > room:
            table.tag = "div"
        else:
            room -= area
    for part in list(tree.iter(*_PARTS)):
        if not _is_in_table(part):
            part.tag = "div"


def _padded_size(table: lxml.html.HtmlElement) -> int | None:
    """About how many characters the table takes in columns, None for a table of layout."""
    rows: dict[lxml.html.HtmlElement, list[lxml.html.HtmlElement]] = {}
    for cell in table.iter("td", "th"):
        if next(cell.iterancestors("table"), None) is not table:
            continue  # of a table inside a cell
        row = cell.getparent()
        if row is None or row.tag != "tr":
            return None
        rows.setdefault(row, []).append(cell)
    columns = max(map(len, rows.values()), default=0)
    if not 1 < columns <= MAX_COLUMNS:
        return None
    widths, lines = [0] * columns, 0
    for cells in rows.values():
        height = 1
        for column, cell in enumerate(cells):
            text = cell.text_content()
            elements = sum(1 for _ in cell.iter())
            if max(len(text.strip()), elements) > MAX_CELL:
                return None
            indent = 4 * sum(1 for _ in cell.iter("ul", "ol", "li"))
            widths[column] = max(widths[column], len(text) + indent + 2)
            height = max(height, text.count("\n") + elements)
        lines += height
    return lines * sum(widths)


def _is_in_table(part: lxml.html.HtmlElement) -> bool:
    return next(part.iterancestors("table"), None) is not None
