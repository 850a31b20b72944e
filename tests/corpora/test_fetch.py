"""Data sets are fetched whole or not at all: from a server of our own, which can be made to misbehave."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpora import cli, fetch
from corpora.errors import InputError

FILES = {"pixels.txt": b"0 1 1 0 \r\n1 0 0 1\r\n", "map.txt": b"255 255 255\n0 0 0\n"}


class Server(http.server.BaseHTTPRequestHandler):
    files: dict[str, bytes]
    longer = 0  # bytes that are announced and never come

    def do_GET(self) -> None:
        data = self.files.get(self.path.rpartition("/")[2])
        if data is None or not self.path.startswith("/data/"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(data) + self.longer))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch, tmp_path) -> Iterator[str]:
    """The address of a folder with the files, and a data set `toy` that is known by them."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Server, "files", dict(FILES), raising=False)
    sums = {
        "pixels.txt": hashlib.sha256(b"0 1 1 0\n1 0 0 1").hexdigest(),
        "map.txt": hashlib.sha256(b"255 255 255\n0 0 0").hexdigest(),
    }
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as made:
        address = f"http://127.0.0.1:{made.server_port}/data"
        known = fetch.Set("a toy", f"{address}/", sums, "example.org/copy", "it is ours", "lecture:{}")
        monkeypatch.setattr(fetch, "SETS", {"toy": known})
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        yield address
        made.shutdown()


def test_the_files_are_kept_byte_for_byte_however_their_lines_end(server, capsys):
    assert cli.main(["fetch", "toy"]) == 0
    out = capsys.readouterr().out
    assert "it is ours" in out and "next: corpora build lecture:toy-data --out toy" in out
    assert {path.name: path.read_bytes() for path in Path("toy-data").iterdir()} == FILES
    Server.files["pixels.txt"] = b"0 1 1 0\n1 0 0 1"
    assert cli.main(["fetch", "toy", "--out", "deep/folder", "--from", server, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["folder"] == "deep/folder"
    assert Path("deep/folder/pixels.txt").read_bytes() == b"0 1 1 0\n1 0 0 1"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"map.txt": b"255 255 255\n0 0 1\n"},
            "/data/map.txt: cut off, or another file than is known: take pixels.txt",
        ),
        ({"map.txt": b"255 255 255\n"}, "/data/map.txt: cut off"),
        ({"map.txt": b""}, "/data/map.txt: cut off"),
        (
            {"map.txt": None},
            "/data/map.txt: the server answers 404 (Not Found): take pixels.txt and map.txt from a copy",
        ),
    ],
)
def test_what_is_wrong_leaves_nothing_behind(change, message, server, tmp_path, capsys):
    Server.files.update(change)
    assert cli.main(["fetch", "toy"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1 and message in err, err
    assert "such as example.org/copy, and name their folder: corpora build lecture:FOLDER" in err
    assert not list(tmp_path.iterdir())


def test_an_answer_that_breaks_off_is_not_taken_for_whole(server, tmp_path, monkeypatch):
    monkeypatch.setattr(Server, "longer", 7)
    Server.files["map.txt"] = b"255 255"
    with pytest.raises(InputError, match=r"pixels.txt: c|map.txt: c"):  # cut off, or cannot be had
        fetch.fetch("toy", "out")
    assert not list(tmp_path.iterdir())


def test_without_a_network_one_line_says_what_to_do(server, tmp_path, capsys):
    nobody = "http://127.0.0.1:1/data"
    assert cli.main(["fetch", "toy", "--from", nobody]) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1 and f"{nobody}/pixels.txt: cannot be had" in err and "example.org/copy" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["toi"], "no data set 'toi': did you mean 'toy'?"),
        (["toy", "--from", "file:///etc"], "expected the address of a folder, https://"),
        (["toy", "--out", "taken"], "taken exists already"),
    ],
)
def test_bad_input_is_one_line(words, message, server, tmp_path, capsys):
    (tmp_path / "taken").mkdir()
    assert cli.main(["fetch", *words]) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1 and message in err, err
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_every_set_says_where_it_is_and_how_it_is_checked():
    for name, one in fetch.SETS.items():
        assert re.fullmatch(r"https://\S+/", one.address), name
        assert one.files and all(re.fullmatch(r"[0-9a-f]{64}", known) for known in one.files.values())
        assert one.source.count("{}") == 1 and one.elsewhere and one.terms and one.about
        assert name in cli.fetch.__doc__  # its help names every set
