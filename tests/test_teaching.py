"""The teacher's pack and the glossary say what the course says, and their links lead somewhere."""

import json
import re
import shutil
from pathlib import Path

import pytest

from helpers import measure
from helpers.exercises import cells, teaching
from helpers.exercises.exercise import MODULES

ROOT = Path(__file__).resolve().parent.parent
PACK, GLOSSARY = ROOT / "docs" / "teaching.md", ROOT / "docs" / "glossary.md"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

each_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)


def prose(notebook: Path) -> str:
    """The Markdown of a notebook."""
    book = json.loads(notebook.read_text(encoding="utf-8"))
    found = [cell["source"] for cell in book["cells"] if cell["cell_type"] == "markdown"]
    return "\n\n".join("".join(source) for source in found)


def anchors(page: Path) -> set[str]:
    """The names by which GitHub knows a page's headings."""
    text = prose(page) if page.suffix == ".ipynb" else page.read_text(encoding="utf-8")
    headings = re.findall(r"^#{1,6} +(.+?) *$", re.sub(r"```.*?```", "", text, flags=re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(text: str, page: Path) -> list[str]:
    """The relative links in a page's text that lead nowhere."""
    found = []
    for link in re.findall(r"\]\(<?([^)>\s]+)", text):
        if re.match(r"https?:|mailto:", link):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(link)
    return found


def entries() -> dict[str, str]:
    """What the glossary says, by term."""
    return dict(re.findall(r"^### (.+)\n((?:(?!^### ).*\n)+)", GLOSSARY.read_text("utf-8"), re.M))


# ----------------------------------------------------------------------------- the teacher's pack


def test_the_pack_holds_what_the_exercises_say() -> None:
    text = PACK.read_text(encoding="utf-8")
    assert teaching.fill(text) == text, "run: python course.py exercises"


@each_notebook
def test_the_pack_has_a_section_for_the_notebook(notebook: Path) -> None:
    text = PACK.read_text(encoding="utf-8")
    sections = re.findall(rf"^### {notebook.name[:2]} .+\n((?:(?!^### ).*\n)+)", text, re.M)
    assert len(sections) == 1
    for part in ("Goal.", "The first minute.", "Short of time.", "Stop"):
        assert f"**{part}**" in sections[0]
    assert f"<!-- exercises {notebook.name[:2]} -->" in sections[0]


@each_notebook
def test_the_pack_tells_the_notebooks_time(notebook: Path) -> None:
    rows = re.findall(rf"^\| \[.+\]\(\.\./notebooks/{notebook.name}\) \|(.+)\|$", PACK.read_text(
        encoding="utf-8"), re.M)  # fmt: skip
    assert len(rows) == 1
    numbers = [int(number) for number in re.findall(r"\d+", rows[0])]
    yours = re.search(r"\*\*Your time:\*\* (.+?)(?: \(|, without)", prose(notebook))[1]
    assert numbers[2:] == [int(n) for n in re.findall(r"(\d+) (?:minutes|more)", yours)]
    assert tuple(numbers[:2]) == measure.read(notebook), "run: python course.py exercises"


def test_the_plans_fill_their_time() -> None:
    plans = re.findall(r"^\| (?:day \w+, )?minute \|.+\n.+\n((?:\|.+\n)+)", PACK.read_text(
        encoding="utf-8"), re.M)  # fmt: skip
    ends = []
    for plan in plans:
        spans = [(int(a), int(b)) for a, b in re.findall(r"^\| (\d+)-(\d+) \|", plan, re.M)]
        assert len(spans) == plan.count("\n")
        assert [a for a, _ in spans] == [0, *(b for _, b in spans[:-1])], plan
        ends.append(spans[-1][1])
    assert ends[:2] == [45, 120] and len(ends) == 4


def test_one_command_writes_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = tmp_path / "teaching.md"
    text = PACK.read_text(encoding="utf-8")
    pack.write_text(re.sub(r"(<!-- exercises 04 -->).*?(<!-- end)", r"\1\n\2", text, flags=re.S))
    monkeypatch.setattr(teaching, "PACK", pack)
    monkeypatch.setattr(cells, "NOTEBOOKS", tmp_path)
    for notebook in NOTEBOOKS:
        shutil.copy(notebook, tmp_path)
    assert cells.main() == 0
    assert pack.read_text(encoding="utf-8") == text


def test_a_pack_without_a_place_for_a_table_is_refused() -> None:
    text = PACK.read_text(encoding="utf-8").replace("<!-- exercises 04 -->", "")
    with pytest.raises(ValueError, match=r"00, 01, 02, 03, 05.* are expected"):
        teaching.fill(text)


def test_a_notebook_without_exercises_has_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teaching, "exercises", lambda notebook: ())
    assert len(teaching.tables()) == len(MODULES)
    assert all("no checked exercises" in table for table in teaching.tables().values())


# -------------------------------------------------------------------------------------- the links


@pytest.mark.parametrize("page", [PACK, GLOSSARY], ids=lambda path: path.stem)
def test_links_lead_somewhere(page: Path) -> None:
    assert dead_links(page.read_text(encoding="utf-8"), page) == []


def test_a_dead_link_is_seen() -> None:
    text = "[a](nowhere.md) [b](glossary.md#no-such-term) [c](glossary.md#umap) [d](https://e.org)"
    assert dead_links(text, PACK) == ["nowhere.md", "glossary.md#no-such-term"]


@each_notebook
def test_the_notebooks_links_to_the_glossary_lead_to_a_term(notebook: Path) -> None:
    links = re.findall(r"\[[^\]]+\]\(\.\./docs/glossary\.md[^)]*\)", prose(notebook))
    assert dead_links("\n".join(links), notebook) == []
    assert len(links) == len(set(links)), "a term is linked once in a notebook"


# ----------------------------------------------------------------------------------- the glossary


def test_the_glossary_is_in_alphabetical_order() -> None:
    terms = list(entries())
    assert terms == sorted(terms, key=str.casefold)
    assert len(terms) == len(anchors(GLOSSARY)) - 1, "each has an anchor of its own"


@pytest.mark.parametrize("term", entries())
def test_a_term_comes_in_where_the_glossary_says(term: str) -> None:
    says, _, where = entries()[term].partition("\nComes in: ")
    assert 30 < len(says) < 420
    places = re.findall(r"\(\.\./notebooks/(\S+)\),\s+section\s+(\d+)", where)
    assert places
    words = [*filter(None, re.split(r" *[(),] *", term)), *re.findall(r"\w{5,}", term)]
    for name, number in places:
        book = prose(ROOT / "notebooks" / name)
        section = re.search(rf"^## {number} ·(?:(?!^## ).*\n)+", book, re.M)
        assert section, f"{name} has no section {number}"
        assert any(word.casefold() in section[0].casefold() for word in words), (name, number)
