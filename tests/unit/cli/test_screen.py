"""Grids at every width, and nothing unsafe on a terminal."""

import io

import pytest
from drawing import Terminal, on_terminal, piped
from rich.text import Text

from controller.cli.screen import Grid, Last, console_for, one_line, shown

LONG = "one two three four five six seven eight nine ten"


def grid(last: Last, text: str = LONG) -> Grid:
    return Grid([[Text("a"), Text(text)], [Text("bbb"), Text("-")]], header=("K", "MESSAGE"), last=last)


def test_a_pipe_gets_everything_on_one_line_without_blanks_at_its_end() -> None:
    for last in Last:
        assert piped(grid(last)) == ["K    MESSAGE", f"a    {LONG}", "bbb  -"]


def test_a_cut_column_ends_where_the_terminal_does() -> None:
    assert on_terminal(grid(Last.CUT), 20) == ["K    MESSAGE", "a    one two three …", "bbb  -"]


def test_a_wrapped_column_goes_on_under_itself() -> None:
    assert on_terminal(grid(Last.WRAP), 30)[1:4] == [
        "a    one two three four five",
        "     six seven eight nine ten",
        "bbb  -",
    ]


def test_with_too_little_room_the_last_column_gets_lines_of_its_own() -> None:
    assert on_terminal(grid(Last.WRAP), 20) == [
        "K",
        "    MESSAGE",
        "a",
        "    one two three",
        "    four five six",
        "    seven eight nine",
        "    ten",
        "bbb",
    ]


def test_columns_before_the_last_are_never_cut() -> None:
    wide = Grid([[Text("x" * 30), Text("said")]], last=Last.CUT)
    assert on_terminal(wide, 20)[0].startswith("x" * 30)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("a\x07b\rc", r"a\x07b\rc"),
        ("right\u202eleft", r"right\u202eleft"),
        ("grüße ✓ 漢字", "grüße ✓ 漢字"),
        ("[bold]not markup[/bold]", "[bold]not markup[/bold]"),
    ],
)
def test_control_and_invisible_characters_are_written_out(text: str, seen: str) -> None:
    assert shown(text).plain == seen
    assert piped(shown(text)) == [seen]


def test_one_line_is_one_line() -> None:
    assert one_line("a\n\n b\tc").plain == "a b c"


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colours_only_where_they_are_wanted(monkeypatch: pytest.MonkeyPatch, no_color: str, coloured: bool) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", no_color)
    terminal, pipe = Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        console_for(stream).print(Text("red", "bold red"))
    assert ("\x1b[" in terminal.getvalue()) is coloured
    assert pipe.getvalue() == "red\n"
