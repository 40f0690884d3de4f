"""How the API reference is made from the docstrings: ``python start.py docs``."""

from toolkit import __version__

project = "Doorzicht"
copyright = "the makers of Doorzicht"  # noqa: A001 - Sphinx wants this name
release = version = __version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
default_role = "code"  # `name` in a docstring is code
html_theme = "alabaster"
html_theme_options = {"fixed_sidebar": True, "page_width": "72rem"}
html_copy_source = False

napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True  # else an attribute is described twice
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
nitpicky = False
