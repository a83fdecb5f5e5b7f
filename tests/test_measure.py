"""A notebook's cost is measured in a real kernel and written into one line of its file."""

import json
import sys

import nbformat
import pytest

from helpers import measure


def write_notebook(path, *code, header="# Title\n\n**Measured:** not yet\n\nWords: é, 300 pc."):
    """Write a notebook as this repository stores them: indent 1, no outputs, no escapes."""
    content = nbformat.v4.new_notebook()
    content.cells = [nbformat.v4.new_markdown_cell(header)]
    content.cells += [nbformat.v4.new_code_cell(text) for text in code]
    nbformat.write(content, path)
    return path


def test_the_measured_line_is_the_only_change(tmp_path):
    notebook = write_notebook(tmp_path / "00.ipynb", "print('ü')", "'**Measured:** twice'")
    before = notebook.read_bytes()
    assert measure.read(notebook) is None
    measure.write(notebook, 12, 430)
    after = notebook.read_bytes()
    assert measure.read(notebook) == (12, 430)
    changed = [
        (old, new)
        for old, new in zip(before.splitlines(), after.splitlines(), strict=True)
        if old != new
    ]
    assert len(changed) == 1
    assert changed[0][0].strip() == b'"**Measured:** not yet\\n",'
    measure.write(notebook, 7, 99)
    assert measure.read(notebook) == (7, 99)
    expected = json.dumps(json.loads(after), indent=1, ensure_ascii=False) + "\n"
    assert after == expected.encode()


def test_windows_line_ends_stay(tmp_path):
    notebook = write_notebook(tmp_path / "00.ipynb")
    notebook.write_bytes(notebook.read_bytes().replace(b"\n", b"\r\n"))
    measure.write(notebook, 1, 1)
    assert measure.read(notebook) == (1, 1)
    assert notebook.read_bytes().count(b"\r\n") == notebook.read_bytes().count(b"\n")


def test_a_run_measures_time_and_memory_with_the_children_and_stores_nothing(tmp_path):
    child = "import time; block = bytearray(b'x') * 150_000_000; time.sleep(1.5)"
    notebook = write_notebook(
        tmp_path / "00.ipynb",
        "import pathlib, subprocess, sys; assert pathlib.Path('00.ipynb').exists()",
        "block = bytearray(b'x') * 200_000_000",
        f"subprocess.run([sys.executable, '-c', {child!r}], check=True)",
    )
    before = notebook.read_bytes()
    seconds, megabytes = measure.measure(notebook)
    assert 2 <= seconds < 60
    assert 400 < megabytes < 600
    assert notebook.read_bytes() == before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's high-water mark")
def test_a_short_peak_is_not_missed(tmp_path):
    notebook = write_notebook(tmp_path / "00.ipynb", "len(bytearray(b'x') * 300_000_000)")
    assert measure.measure(notebook)[1] > 330


def test_notebooks_over_budget_or_unmeasured_are_named(tmp_path):
    notebook = write_notebook(tmp_path / "05_forest.ipynb")
    with pytest.raises(ValueError, match=r"05_forest.ipynb is not measured: run 'python course"):
        measure.check(notebook)
    measure.write(notebook, measure.BUDGET_SECONDS, measure.BUDGET_MEGABYTES)
    assert measure.check(notebook) == (measure.BUDGET_SECONDS, measure.BUDGET_MEGABYTES)
    for seconds, megabytes in [(61, 500), (10, 1001)]:
        measure.write(notebook, seconds, megabytes)
        with pytest.raises(ValueError, match=f"took {seconds} s and {megabytes} MB"):
            measure.check(notebook)


@pytest.mark.parametrize("header", ["# No line", "**Measured:** long ago"])
def test_a_header_without_a_readable_line_is_refused(tmp_path, header):
    notebook = write_notebook(tmp_path / "00.ipynb", header=header)
    with pytest.raises(ValueError, match=r"one is expected: write '\*\*Measured:\*\* not yet'"):
        measure.read(notebook)


def test_a_notebook_that_fails_keeps_its_header(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(measure, "NOTEBOOKS", tmp_path)
    notebook = write_notebook(tmp_path / "03.ipynb", "raise RuntimeError('no such galaxy')")
    before = notebook.read_bytes()
    assert measure.main(["notebooks/03.ipynb", "99.ipynb"]) == 1
    printed = capsys.readouterr().out
    assert "03.ipynb stopped" in printed
    assert "no such galaxy" in printed
    assert "There is no" in printed
    assert notebook.read_bytes() == before
    write_notebook(notebook, "1 + 1")
    assert measure.main([]) == 0
    assert measure.check(notebook)[0] < 30
