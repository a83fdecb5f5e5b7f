"""A learner's progress is kept whole, carried along, and never lost without a word."""

import json
import multiprocessing
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from helpers.exercises import desk
from helpers.exercises.progress import NAME, Progress, merged


@pytest.fixture
def learner(tmp_path: Path, monkeypatch) -> Path:
    """The progress file of a learner who has just begun, and the desk that uses it."""
    path = tmp_path / "a home with ü" / NAME
    monkeypatch.setenv("PHANGS_COURSE_PROGRESS", str(path))
    monkeypatch.setattr(desk, "progress", Progress())
    return path


def solved(entry: dict) -> dict:
    return entry | {"state": "done", "tries": entry["tries"] + 1, "answer": "(34, 34)"}


# ---------------------------------------------------------------------------------- at the desk


def test_an_untouched_stub_writes_nothing(learner, capsys) -> None:
    for empty in (..., None, "", "  "):
        desk.check("0.1", empty)
    desk.check("0.1")
    desk.check("0.3", "dust", ...)
    assert capsys.readouterr().out.count("nothing to check yet") == 6
    assert not learner.exists()


def test_a_wrong_answer_then_a_right_one(learner, capsys) -> None:
    desk.check("0.1", (0, 0))
    assert "0.1: not yet. " in capsys.readouterr().out
    assert json.loads(learner.read_text())["exercises"]["0.1"]["state"] == "tried"
    desk.check("0.1", (34, 34))
    assert "0.1: right. " in capsys.readouterr().out
    entry = json.loads(learner.read_text())["exercises"]["0.1"]
    assert entry["state"] == "done" and entry["tries"] == 2 and entry["answer"] == "(34, 34)"
    desk.check("0.1", (0, 0))  # playing on takes nothing away
    entry = json.loads(learner.read_text())["exercises"]["0.1"]
    assert entry["state"] == "done" and entry["answer"] == "(34, 34)"


def test_a_reopened_notebook_says_what_was_done(learner, capsys, monkeypatch) -> None:
    desk.check("0.1", (34, 34))
    monkeypatch.setattr(desk, "progress", Progress())  # another kernel
    capsys.readouterr()
    desk.check("0.1", ...)
    assert "Done before; your answer was: (34, 34)" in capsys.readouterr().out


def test_a_prediction_comes_first_and_is_remembered(learner, capsys) -> None:
    desk.check("0.3", "the first component", "the second", prediction="")
    assert "first your prediction" in capsys.readouterr().out
    assert not learner.exists()
    desk.check("0.3", "the first component", "the second", prediction="dust follows the arms")
    assert 'You had predicted: "dust follows the arms"' in capsys.readouterr().out
    assert json.loads(learner.read_text())["exercises"]["0.3"]["prediction"]


def test_hints_come_one_at_a_time_and_then_all(learner, capsys, monkeypatch) -> None:
    for number in (1, 2, 3):
        desk.hint("0.1")
        assert (
            f"hint {number} of 3: {desk.find('0.1').hints[number - 1]}" in capsys.readouterr().out
        )
        monkeypatch.setattr(desk, "progress", Progress())  # also after a restart
    desk.hint("0.1")
    said = capsys.readouterr().out
    assert all(hint in said for hint in desk.find("0.1").hints)


def test_a_solution_waits_for_three_tries(learner, capsys) -> None:
    desk.solution("0.1")
    assert "3 more tries" in capsys.readouterr().out
    for _ in range(3):
        desk.check("0.1", (0, 0))
    assert 'solution("0.1") shows a solution' in capsys.readouterr().out
    desk.solution("0.1")
    assert "shape[0] // 2" in capsys.readouterr().out
    assert json.loads(learner.read_text())["exercises"]["0.1"]["state"] == "shown"


def test_a_solution_can_be_seen_at_once_and_after_success(learner, capsys) -> None:
    desk.solution("0.1", now=True)
    assert "shape[0] // 2" in capsys.readouterr().out
    desk.check("0.A", "b")
    desk.solution("0.A")
    assert "one sharpness" in capsys.readouterr().out


@pytest.mark.parametrize("number", ["9.9", "4", "", None, 3 + 4j, ["4.2"], "0.Z", "x" * 10_000])
def test_an_unknown_number_gets_a_sentence(number, learner, capsys) -> None:
    for ask in (desk.check, desk.hint, desk.solution):
        ask(number)
        said = capsys.readouterr().out
        assert "exercise" in said and len(said) < 300
    assert not learner.exists()


def test_numbers_are_read_as_people_write_them(learner, capsys) -> None:
    desk.check(0.1, (34, 34))
    desk.check(" 0.a ", "(B)")
    assert capsys.readouterr().out.count(": right. ") == 2


def test_progress_lists_what_is_done(learner, capsys) -> None:
    desk.check("0.1", (34, 34))
    desk.check("0.2", "F770W")
    desk.solution("0.3", now=True)
    desk.hint("0.A")  # a hint alone is no try
    capsys.readouterr()
    desk.progress()
    said = capsys.readouterr().out
    assert "notebook 00: 1 of 5 done (0.1); solution seen: 0.3; tried: 0.2" in said
    assert f"1 done in all. Kept in {learner}" in said


# -------------------------------------------------------------------------------------- carried


def test_it_is_carried_to_another_machine(learner, tmp_path, capsys) -> None:
    desk.check("0.1", (34, 34))
    desk.progress.save(tmp_path)
    elsewhere = Progress(tmp_path / "laptop" / "progress.json")
    elsewhere.change("0.2", solved)
    elsewhere.load(tmp_path / NAME)
    assert {"0.1", "0.2"} == set(Progress(elsewhere.path).entries())
    assert "Loaded 1 exercises" in capsys.readouterr().out


def test_two_machines_know_together_what_either_knew() -> None:
    one = {"4.1": {"state": "done", "tries": 1, "hints": 0, "answer": "a", "prediction": ""}}
    other = {"4.1": {"state": "tried", "tries": 5, "hints": 3, "answer": "b", "prediction": ""}}
    for both in (merged(one, other), merged(other, one)):
        assert both["4.1"] == one["4.1"] | {"tries": 5, "hints": 3}


def test_saving_twice_adds_and_saving_onto_itself_does_nothing(learner, capsys) -> None:
    desk.check("0.1", (34, 34))
    before = learner.read_bytes()
    desk.progress.save(learner.parent)
    assert learner.read_bytes() == before
    assert "is in" in capsys.readouterr().out


def test_loading_what_is_no_progress_changes_nothing(learner, tmp_path, capsys) -> None:
    desk.check("0.1", (34, 34))
    before = learner.read_bytes()
    for name, content in {"a": b"", "b": b"\xff\x00", "c": b"[1]", "d": b'{"cells": []}'}.items():
        (tmp_path / name).write_bytes(content)
        desk.progress.load(tmp_path / name)
    desk.progress.load(tmp_path / "nowhere.json")
    desk.progress.load(tmp_path)
    assert capsys.readouterr().out.count("Not loaded: ") == 6
    assert learner.read_bytes() == before


def test_what_is_loaded_counts_even_if_it_cannot_be_kept(learner, tmp_path, capsys) -> None:
    desk.check("0.1", (34, 34))
    (tmp_path / "file").write_text("")
    elsewhere = Progress(tmp_path / "file" / NAME)
    elsewhere.load(learner)
    assert "Until this kernel ends" in capsys.readouterr().out
    assert elsewhere.entry("0.1")["state"] == "done"


# ------------------------------------------------------------------------------------ not lost


def count(path: Path, number: str, times: int, together) -> None:
    together.wait()
    for _ in range(times):
        Progress(path).change(number, lambda entry: entry | {"tries": entry["tries"] + 1})


def test_two_kernels_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / NAME
    spawn = multiprocessing.get_context("spawn")
    together = spawn.Barrier(4)
    kernels = [
        spawn.Process(target=count, args=(path, number, 100, together))
        for number in ("0.1", "0.1", "0.2")
    ]
    for kernel in kernels:
        kernel.start()
    together.wait()
    while any(kernel.is_alive() for kernel in kernels):
        if path.exists():
            assert json.loads(path.read_text()), "a reader never sees half a file"
    for kernel in kernels:
        kernel.join()
        assert kernel.exitcode == 0
    entries = Progress(path).entries()
    assert (entries["0.1"]["tries"], entries["0.2"]["tries"]) == (200, 100)
    assert [file.name for file in tmp_path.iterdir() if not file.name.endswith(".lock")] == [NAME]


@pytest.mark.skipif(os.name != "posix", reason="limits the size of files by a POSIX call")
def test_a_full_disk_loses_nothing_and_says_so(tmp_path: Path) -> None:
    code = """
        import resource, signal, sys
        from helpers.exercises import check, progress
        check("0.1", (34, 34))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
        check("0.A", "b")
        check("0.A", ...)
        check("0.2", "F770W")
        progress.save("elsewhere")
    """
    path = tmp_path / NAME
    (tmp_path / "elsewhere").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=os.environ | {"PHANGS_COURSE_PROGRESS": str(path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "0.A: right. " in done.stdout
    assert done.stdout.count("The disk is full") == 3
    assert "(Try 1. " in done.stdout
    assert "Done before; your answer was: 'b'" in done.stdout  # this kernel knows
    assert set(json.loads(path.read_text())["exercises"]) == {"0.1"}
    assert not list((tmp_path / "elsewhere").iterdir())
    assert {file.name for file in tmp_path.iterdir()} <= {NAME, f".{NAME}.lock", "elsewhere"}


def test_a_place_that_cannot_be_written_is_named(tmp_path, monkeypatch, capsys) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(desk, "progress", Progress(tmp_path / "file" / NAME))
    desk.check("0.1", (34, 34))
    said = capsys.readouterr().out
    assert "0.1: right. " in said and "PHANGS_COURSE_PROGRESS" in said
    desk.solution("0.1")  # the kernel knows that it was right
    assert "shape[0]" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["", "{", "[]", '{"exercises": 3}', "\x00" * 500])
def test_a_damaged_file_is_kept_aside(content: str, learner, capsys) -> None:
    learner.parent.mkdir()
    learner.write_text(content)
    desk.check("0.1", (34, 34))
    aside = learner.with_name("phangs-course-progress.damaged-1.json")
    assert aside.read_text() == content
    assert aside.name in capsys.readouterr().out
    assert json.loads(learner.read_text())["exercises"]["0.1"]["state"] == "done"
    learner.write_text(content)
    desk.check("0.1", (34, 34))
    assert aside.with_name("phangs-course-progress.damaged-2.json").exists()


def test_a_newer_file_is_left_alone(learner, capsys) -> None:
    learner.parent.mkdir()
    newer = json.dumps({"version": 2, "exercises": {"0.1": {"state": "mastered"}}})
    learner.write_text(newer)
    desk.check("0.1", (34, 34))
    assert "newer version" in capsys.readouterr().out
    assert learner.read_text() == newer


def test_an_older_file_and_what_is_not_understood_are_kept(learner) -> None:
    learner.parent.mkdir()
    older = {
        "exercises": {"0.1": {"state": "done"}, "8.8": {"stars": 5}, "0.2": "odd"},
        "note": "x",
    }
    learner.write_text(json.dumps(older))
    assert desk.progress.entry("0.1")["tries"] == 0
    desk.check("0.A", "b")
    kept = json.loads(learner.read_text())
    assert kept["note"] == "x" and kept["exercises"]["8.8"] == {"stars": 5}
    assert kept["exercises"]["0.2"] == "odd" and kept["exercises"]["0.1"]["state"] == "done"


def test_a_link_stays_a_link(learner, tmp_path) -> None:
    learner.parent.mkdir()
    learner.symlink_to(tmp_path / "cloud.json")
    desk.check("0.1", (34, 34))
    assert learner.is_symlink() and "0.1" in (tmp_path / "cloud.json").read_text()
