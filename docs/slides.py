"""Every figure of the notebooks as a file for slides, and a list of them.

    python docs/slides.py --to slides              # all notebooks, about five minutes
    python docs/slides.py --to slides 05 07        # some

Runs the notebooks as they are, and writes each figure as ``05-03.png`` (the third of notebook 05,
1.5 times as fine as in the notebook) and ``figures.md``, which lists them by section with the words
that say what each shows. Run it with the course's own Python: that of the folder ``.venv``.
"""

import argparse
import base64
import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from helpers.measure import NOTEBOOKS

FINER = (
    "import matplotlib.pyplot\n"
    'matplotlib.pyplot.rcParams["figure.dpi"] = 1.5 * matplotlib.pyplot.rcParams["figure.dpi"]'
)


def run(path: Path) -> nbformat.NotebookNode:
    """The notebook with its outputs, its figures finer than usual."""
    book = nbformat.read(path, as_version=4)
    imports = next(k for k, cell in enumerate(book.cells) if cell.cell_type == "code")
    book.cells.insert(imports + 1, nbformat.v4.new_code_cell(FINER))
    where = {"metadata": {"path": str(path.parent)}}
    return NotebookClient(book, timeout=600, kernel_name="python3", resources=where).execute()


def figures(book: nbformat.NotebookNode) -> list[tuple[str, bytes, str]]:
    """Section, picture and words of each figure, in order."""
    found, section = [], ""
    for cell in book.cells:
        if cell.cell_type == "markdown":
            headings = re.findall(r"^#{1,3} (.+)$", cell.source, re.MULTILINE)
            section = headings[-1] if headings else section
            continue
        for output in cell.outputs:
            data = output.get("data", {})
            if "image/png" in data:
                picture = base64.b64decode(data["image/png"])
                found.append((section, picture, data.get("text/plain", "")))
    return found


def main() -> int:
    """Write the figures and their list."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("numbers", nargs="*", help="of notebooks, such as 05; by default all")
    parser.add_argument("--to", type=Path, required=True, help="the folder to write into")
    options = parser.parse_args()
    paths = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    unknown = set(options.numbers) - {path.name[:2] for path in paths}
    if unknown:
        known = ", ".join(path.name[:2] for path in paths)
        print(f"There is no notebook {', '.join(sorted(unknown))}. Choose among {known}.")
        return 1
    options.to.mkdir(parents=True, exist_ok=True)
    lines = ["# The figures of the course", "", "(The galaxies in them are simulated: say so.)"]
    for path in paths:
        if options.numbers and path.name[:2] not in options.numbers:
            continue
        book = run(path)
        title = re.search(r"^# (.+)$", book.cells[0].source, re.MULTILINE)[1]
        lines += ["", f"## {title}", ""]
        for number, (section, picture, words) in enumerate(figures(book), start=1):
            name = f"{path.name[:2]}-{number:02}.png"
            (options.to / name).write_bytes(picture)
            lines.append(f"- [{name}]({name}) · {section}: {' '.join(words.split())}")
        print(f"{path.name}: {number} figures", flush=True)
    (options.to / "figures.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
