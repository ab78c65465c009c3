"""Execute docs/tutorial.ipynb in place: python scripts/execute_tutorial.py (needs the extra 'docs')."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient

PATH = Path(__file__).parents[1] / "docs" / "tutorial.ipynb"


def main() -> None:
    """Run every cell and keep what it printed and drew, without dates and the machine's name."""
    notebook = nbformat.read(PATH, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=1500,
        kernel_name="python3",
        coalesce_streams=True,
        record_timing=False,
        resources={"metadata": {"path": str(PATH.parent)}},
    )
    client.execute()
    nbformat.write(notebook, PATH)


if __name__ == "__main__":
    main()
