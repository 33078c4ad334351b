"""Sphinx: MyST for text, autodoc for the public names, furo for looks."""

from importlib.metadata import version as installed_version

project = "lambda_invoke"
author = "The lambda_invoke developers"
copyright = author
version = release = installed_version("lambda-invoke-sdk")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"lambda_invoke {release}"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autoclass_content = "class"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "show-inheritance": True, "undoc-members": True}
