"""Translation of texts for the user: ``_`` in the modules is ``tr`` of this file."""

from __future__ import annotations

import logging
import os
import re
import sys

import slicer

_PLACEHOLDER = re.compile(r"(?<!{){([^{}]+)}(?!})")


def translate(context: str, text: str) -> str:
    """Return ``text`` in the language of the application, as the translators of ``context`` put it."""
    return slicer.app.translate(context, text)


def tr(text: str) -> str:
    """Return ``text`` in the language of the application; the context is the file that calls.

    A translation that lacks a placeholder of the text, or has another one, is not used.
    """
    context = getContext(sys._getframe(1).f_code.co_filename)
    translated = translate(context, text)
    if set(_PLACEHOLDER.findall(text)) != set(_PLACEHOLDER.findall(translated)):
        logging.warning(f"{context}: '{translated}' does not hold the placeholders of '{text}'.")
        return text
    return translated


def getContext(sourceFile: str) -> str:
    """Return the context of the texts in a file: its name, after that of its package if it lies in one."""
    folder, file = os.path.split(sourceFile)
    name = os.path.splitext(file)[0]
    in_package = os.path.isfile(os.path.join(folder, "__init__.py"))
    return f"{os.path.basename(folder)}.{name}" if in_package else name
