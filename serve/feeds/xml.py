"""A product feed as XML, RSS or Atom, read as it comes; entities of its own and nesting beyond a feed's are refused."""

from __future__ import annotations

from xml.parsers import expat

from .table import Row, column_name

_ITEMS = ("item", "entry")
_GOOGLE = "http://base.google.com/ns/1.0"
_DEEPEST = 20


class _Refused(Exception):
    """What is wrong with the document; nothing after it is read."""


class Xml:
    """Reads a feed as it comes.

    Args:
        max_bytes: of one product's texts.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._rows: list[Row] = []
        self._depth, self._item_depth, self._line, self._size = 0, 0, 0, 0
        self._field, self._texts = "", list[str]()
        self._fields: dict[str, tuple[bool, str]] = {}
        self._is_over = False

    def feed(self, piece: bytes) -> list[Row]:
        """Return the products that are whole now; after something that is no XML, none."""
        return self._parsed(piece, last=False)

    def close(self) -> list[Row]:
        """Return what is left, which says so where the document is cut short."""
        return self._parsed(b"", last=True)

    def _parsed(self, piece: bytes, *, last: bool) -> list[Row]:
        try:
            if not self._is_over:
                self._parser.Parse(piece, last)
        except (expat.ExpatError, _Refused) as err:
            self._is_over = True
            wrong = str(err) if isinstance(err, _Refused) else expat.ErrorString(err.code)
            self._rows.append((self._parser.CurrentLineNumber, f"expected XML: {wrong}; nothing after this is read"))
        rows, self._rows = self._rows, []
        return rows

    def _doctype(self, *_: object) -> None:
        raise _Refused("a document type with entities of its own is not taken")

    def _start(self, tag: str, _: object) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _Refused(f"elements are nested more than {_DEEPEST} deep")
        space, _, name = tag.rpartition(" ")
        if not self._item_depth and name in _ITEMS:
            self._item_depth, self._line, self._size = self._depth, self._parser.CurrentLineNumber, 0
            self._fields = {}
        elif self._item_depth and self._depth == self._item_depth + 1:
            self._field, self._texts = f"{space} {name}", []

    def _text(self, text: str) -> None:
        if self._field and self._size <= self._max_bytes:
            self._size += len(text.encode())
            self._texts.append(text)

    def _end(self, tag: str) -> None:
        if self._item_depth and self._depth == self._item_depth + 1 and self._field:
            self._keep()
        elif self._depth == self._item_depth:
            self._rows.append((self._line, self._item()))
            self._item_depth = 0
        self._depth -= 1

    def _keep(self) -> None:
        """Keep a field; Google's own before one of the same name that every feed has, the first of several."""
        space, _, name = self._field.rpartition(" ")
        google, text = space == _GOOGLE, "".join(self._texts).strip()
        name = column_name(name)
        if text and (name not in self._fields or (google and not self._fields[name][0])):
            self._fields[name] = (google, text)
        self._field, self._texts = "", []

    def _item(self) -> dict[str, str] | str:
        if self._size > self._max_bytes:
            return f"expected a product of at most {self._max_bytes} bytes, got a longer one"
        return {name: text for name, (_, text) in self._fields.items()}
