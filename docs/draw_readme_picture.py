"""Draw the picture of the README from the README's own quickstart: `make picture`."""

import re
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
DOCS = Path(__file__).parent
blocks = re.findall(
    r"^```python\n(.*?)^```", (DOCS.parent / "README.md").read_text("utf-8"), re.M | re.S
)
names: dict[str, object] = {}
exec(compile("".join(blocks[:2]), "README.md", "exec"), names)

figure = matplotlib.pyplot.gcf()
figure.savefig(DOCS / "images" / "attention_map.png", dpi=110, bbox_inches="tight")
