"""The look that every HTML page of asdbench shares."""

from asdbench.pages.page import asset, render_page, require_own_page, template

__all__ = ["asset", "render_page", "require_own_page", "template"]
