"""Sphinx configuration: the user guide in Markdown, the gallery, and the API reference."""

import os
import re
import sys
from pathlib import Path

# One thread is enough for the networks of the examples.
os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from docutils import nodes  # noqa: E402
from docutils.utils.math.latex2mathml import tex2mathml  # noqa: E402

import sk_tsattn  # noqa: E402

project = "sk_tsattn"
author = "The sk_tsattn developers"
copyright = author
release = version = sk_tsattn.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = [
    "_build",
    "auto_examples/**.ipynb",
    "auto_examples/**.py",
    "auto_examples/sg_execution_times.rst",
    "sg_execution_times.rst",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
nitpicky = False

# Markdown
myst_enable_extensions = ["colon_fence", "dollarmath", "amsmath"]
myst_heading_anchors = 3

# API reference
autosummary_generate = True
autodoc_typehints = "none"  # numpydoc has the types
numpydoc_show_class_members = False
numpydoc_use_plots = False
add_module_names = False
toc_object_entries_show_parents = "hide"

# Gallery: `plot_*.py` are run, other examples are shown without being run.
sphinx_gallery_conf = {
    "examples_dirs": str(ROOT / "examples"),
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"[\\/]plot_",
    "within_subsection_order": "FileNameSortKey",
    "show_memory": False,
    "min_reported_time": 1e9,
    "download_all_examples": False,
    "copyfile_regex": r"$^",
    "doc_module": ("sk_tsattn",),
    "backreferences_dir": "api/generated/backreferences",
    "matplotlib_animations": False,
}

# Appearance
html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "sk_tsattn"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "sk_tsattn"},
    "show_nav_level": 1,
    "navigation_with_keys": False,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"


def add_notes_heading(app, what, name, obj, options, lines):
    """Put the shape and the source of a torch module under the heading that numpydoc expects."""
    for number, line in enumerate(lines):
        if line.startswith(("**Shape**", "**Source**")):
            lines[number:number] = ["Notes", "-----"]
            return


def visit_math(writer, node):
    """Write a formula as MathML, which browsers show without a script from the network."""
    # MathML sets sizes by itself.
    formula = re.sub(r"\\(textstyle|[bB]ig)\b", "", node.astext()).replace(r"\dots", r"\ldots")
    writer.body.append(tex2mathml(formula, as_block=node.tagname == "math_block"))
    raise nodes.SkipNode


def setup(app):
    app.connect("autodoc-process-docstring", add_notes_heading, priority=400)
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math, None))
