"""`gatonegro tokens`: the table of tokens."""

from commands import LONG, lines

from gatonegro import AutoTokenizer


def test_tokens(tiny, run, terminal):
    text = "El gato negro, ¿qué? 😀"
    batch = AutoTokenizer.from_pretrained(tiny)([text], return_offsets_mapping=True)
    ids, tokens, offsets = batch["input_ids"][0], batch.tokens(0), [list(at) for at in batch["offset_mapping"][0]]
    (record,) = lines(run("tokens", "--json", "-m", tiny, text)[0])
    assert record == {"text": text, "tokens": tokens, "ids": ids, "offsets": offsets}
    rows = [f"{i}\t{token}\t{a}\t{b}" for i, token, (a, b) in zip(ids, tokens, offsets, strict=True)]
    out, err = run("tokens", "-m", tiny, stdin=f"{text}\n{text}\n".encode())
    assert out.splitlines() == [*rows, "", *rows]  # an empty line between texts
    assert err == ""
    for width in (40, 100):
        table = terminal(width, "tokens", "-m", tiny, text)
        assert table[0] == text and table[1].split() == ["#", "id", "token", "in", "the", "text"]
        assert [row.split()[1:3] for row in table[2:]] == [[str(i), t] for i, t in zip(ids, tokens, strict=True)]
        assert table[3].strip() == f"1  {ids[1]}  el     'El' 0–2"


def test_tokens_of_a_long_text_are_all_shown(tiny, run):
    out, err = run("tokens", "-m", tiny, LONG)
    assert len(out.splitlines()) == len(LONG.split()) + 2 and err == ""


def test_tokens_in_a_terminal_move_no_cursor(tiny, terminal):
    table = "\n".join(terminal(80, "tokens", "-m", tiny, "uno\x1b[2J\ndos"))
    assert "\x1b" not in table and "uno␛[2J dos" in table
