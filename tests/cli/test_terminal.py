"""The command line in a real terminal: progress bars and lines as they come."""

import os

import pytest
from commands import lines, posix, start

pytestmark = pytest.mark.slow


class Screen:
    """Terminal with the output of a process, and simulated typing."""

    def __init__(self, columns: int = 80):
        import fcntl
        import pty
        import struct
        import termios

        self.person, self.process = pty.openpty()
        fcntl.ioctl(self.process, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
        self.unread = ""

    def until(self, text: str) -> str:
        """Read until a text appears; return the output before it since the last call."""
        while text not in self.unread:
            self.unread += os.read(self.person, 4096).decode(errors="replace")  # OSError: the process has ended
        before, _, self.unread = self.unread.partition(text)
        return before

    def type(self, text: str) -> None:
        os.write(self.person, text.encode())


@pytest.fixture
def tty():
    screen = Screen()
    yield screen
    os.close(screen.person)


@posix
def test_a_person_at_a_terminal(tiny, tty):
    end = tty.process
    with start("sentiment", "-m", tiny, stdin=end, stdout=end, stderr=end, start_new_session=True) as process:
        os.close(end)
        tty.until("Ctrl-D ends")
        tty.type("el gato\n")
        tty.until("el gato")  # the echo
        assert "\x1b[1;3" in tty.until("el gato")  # bold, and of a colour
        tty.type("\x04")
        assert process.wait(60) == 0


@posix
def test_progress_of_a_file(tiny, tty, tmp_path):
    source, out = tmp_path / "texts.txt", tmp_path / "out.jsonl"
    source.write_text("el gato\nel perro\n" * 50)
    with (
        source.open("rb") as stdin,
        out.open("wb") as stdout,
        start("sentiment", "--json", "-m", tiny, stdin=stdin, stdout=stdout, stderr=tty.process) as process,
    ):
        os.close(tty.process)
        tty.until("100%")
        assert process.wait(60) == 0
    assert len(lines(out.read_text())) == 100
