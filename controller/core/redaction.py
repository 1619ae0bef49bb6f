"""Hides the values of Secrets in whatever leaves an executor: messages, outputs, texts of errors. Pure.

A target may send back what it was sent, and seldom in the same form. So a text is looked at as it stands and as what
it stands for: JSON escapes, percent encoding and HTML entities undone (also twice), base64 at every alignment and
hexadecimal decoded. What is looked for are pieces of a value, so that half of it is found as well; case, white space
and `+` (a space in a form) count for nothing. Too much is hidden rather than too little.

Not recognised: pieces shorter than PIECE, and forms that cannot be undone, such as hashes.
"""

import base64
import html
import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

HIDDEN = "[redacted]"
SHORTEST = 8
"""A value with fewer characters cannot be hidden without hiding half of every sentence, and could be guessed."""
PIECE = 12
"""So many characters of a value in a row are recognised; of a shorter value, the whole."""
TIMES_ESCAPED = 2
"""So many escapes, one around the other, are undone: JSON inside of JSON, a URL inside of a URL."""
MAX_TEXT = 8 * 1024
"""A longer text is cut off before it is looked at: nothing that leaves an executor may be as long."""


class Redactor:
    """The values that one attempt has read. Its own text shows none of them."""

    def __init__(self) -> None:
        self._pieces: dict[int, set[str]] = {}

    def learn(self, value: str) -> None:
        """Hide this value from now on, and what it is made of. Raises ValueError if it is too short to be hidden."""
        if len(_folded(value)) < SHORTEST:
            raise ValueError(f"must have at least {SHORTEST} characters")
        for part in (value, *_parts(value)):
            if len(_folded(part)) >= SHORTEST:
                self._learn(part)

    def _learn(self, value: str) -> None:
        length = min(PIECE, len(_folded(value)))
        as_bytes = value.encode("utf-8", "surrogatepass").decode("latin-1")
        for form in {_folded(value), _folded(as_bytes)}:
            pieces = (form[start : start + length] for start in range(len(form) - length + 1))
            self._pieces.setdefault(length, set()).update(pieces)

    def text(self, text: str) -> str:
        """The text with every piece of a value replaced."""
        if not self._pieces:
            return text
        text = text[:MAX_TEXT]
        found = sorted(span for form in _forms(text) for span in self._found(form))
        parts: list[str] = []
        end = 0
        for start, stop in found:
            if start > end or not parts:
                parts += [text[end:start], HIDDEN]
            end = max(end, stop)
        return "".join([*parts, text[end:]])

    def json(self, value: Any) -> Any:
        """JSON with every text, key and number in it treated so. A number that holds a value becomes a text."""
        if not self._pieces:
            return value
        match value:
            case str():
                return self.text(value)
            case dict():
                return {self.text(key): self.json(item) for key, item in value.items()}
            case list():
                return [self.json(item) for item in value]
            case bool() | None:
                return value
            case _:
                shown = json.dumps(value)
                hidden = self.text(shown)
                return value if hidden == shown else hidden

    def _found(self, form: "_Form") -> Iterator[tuple[int, int]]:
        """Where in the original text a piece begins and ends."""
        plain = form.folded()
        for length, pieces in self._pieces.items():
            for at in range(len(plain.text) - length + 1):
                if plain.text[at : at + length] in pieces:
                    yield plain.spans[at][0], plain.spans[at + length - 1][1]


class _Form(NamedTuple):
    """What a text stands for: characters, and for each the span of the original text that it comes from."""

    text: str
    spans: Sequence[tuple[int, int]]

    def folded(self) -> "_Form":
        kept = [(_fold(character), span) for character, span in zip(self.text, self.spans, strict=True)]
        kept = [(character, span) for character, span in kept if character]
        return _Form("".join(character for character, _ in kept), [span for _, span in kept])

    def replaced(self, pattern: re.Pattern[str], meaning: Callable[[str], str]) -> "_Form":
        """With each match replaced by what it means, a character of which stands for the whole match."""
        parts: list[str] = []
        spans: list[tuple[int, int]] = []
        end = 0
        for match in pattern.finditer(self.text):
            meant = meaning(match[0])
            parts += [self.text[end : match.start()], meant]
            spans += self.spans[end : match.start()]
            spans += [(self.spans[match.start()][0], self.spans[match.end() - 1][1])] * len(meant)
            end = match.end()
        return _Form("".join([*parts, self.text[end:]]), [*spans, *self.spans[end:]])


def _forms(text: str) -> Iterator[_Form]:
    """Everything that the text may stand for, each reading once."""
    seen: set[str] = set()
    readings = [_Form(text, [(at, at + 1) for at in range(len(text))])]
    for _ in range(TIMES_ESCAPED + 1):
        new = {form.text: form for form in readings if form.text not in seen}
        seen |= new.keys()
        for form in new.values():
            yield form
            yield from _decoded(form)
        readings = [form.replaced(*decoder) for form in new.values() for decoder in _UNESCAPED]


def _unescaped(match: str) -> str:
    """What a JSON, JavaScript or Python escape means."""
    body = match[1:]
    match body[0]:
        case "u" if len(body) > 5:  # a pair of surrogates
            return chr(0x10000 + ((int(body[1:5], 16) & 0x3FF) << 10) + (int(body[7:11], 16) & 0x3FF))
        case "u" | "x" | "U" if len(body) > 1:
            code = int(body[1:], 16)
            return chr(code) if code < 0x110000 else ""
        case "n" | "r" | "t" | "b" | "f" | "v":
            return " "
        case character:
            return character


_UNESCAPED: tuple[tuple[re.Pattern[str], Callable[[str], str]], ...] = (
    (
        re.compile(
            r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
            r"|\\u[0-9a-fA-F]{4}|\\U[0-9a-fA-F]{8}|\\x[0-9a-fA-F]{2}|\\[^uUx]"
        ),
        _unescaped,
    ),
    (re.compile(r"%[0-9a-fA-F]{2}"), lambda match: chr(int(match[1:], 16))),
    (re.compile(r"&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8});"), html.unescape),
)

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{11,}")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]{16,}")
_VALUES = {
    character: number
    for alphabet in ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" + last for last in ("+/", "-_"))
    for number, character in enumerate(alphabet)
}


def _decoded(form: _Form) -> Iterator[_Form]:
    """The runs of base64 and hexadecimal digits in it, at every alignment: a value may begin within a longer one."""
    kept = [at for at, character in enumerate(form.text) if not character.isspace()]
    dense = _Form("".join(form.text[at] for at in kept), [form.spans[at] for at in kept])
    for run in _BASE64.finditer(dense.text):
        numbers = [_VALUES[character] for character in run[0]]
        for offset in range(4):
            yield _bytes_of(numbers[offset:], 6, dense.spans[run.start() + offset : run.end()])
    for run in _HEXADECIMAL.finditer(dense.text):
        numbers = [int(character, 16) for character in run[0]]
        for offset in range(2):
            yield _bytes_of(numbers[offset:], 4, dense.spans[run.start() + offset : run.end()])


def _bytes_of(numbers: Sequence[int], bits: int, spans: Sequence[tuple[int, int]]) -> _Form:
    """The bytes that digits of so many bits stand for, each as the character of its number."""
    characters: list[str] = []
    found: list[tuple[int, int]] = []
    held, width, first = 0, 0, 0
    for at, number in enumerate(numbers):
        if width == 0:
            first = at
        held, width = (held << bits) | number, width + bits
        if width >= 8:
            width -= 8
            characters.append(chr(held >> width))
            found.append((spans[first][0], spans[at][1]))
            held &= (1 << width) - 1
            first = at
    return _Form("".join(characters), found)


def _parts(value: str) -> Iterator[str]:
    """What else a target may take out of an Authorization header: `Bearer TOKEN`, `Basic base64(USER:PASSWORD)`."""
    scheme, _, token = value.partition(" ")
    if not token or not scheme.isalpha():
        return
    yield token
    if scheme.lower() == "basic":
        try:
            login = base64.b64decode(token).decode()
        except ValueError:
            return
        yield login
        yield login.partition(":")[2]


def _folded(text: str) -> str:
    return "".join(map(_fold, text))


def _fold(character: str) -> str:
    if character <= " " or character == "+" or character.isspace():
        return ""
    small = character.lower()
    return small if len(small) == 1 else character
