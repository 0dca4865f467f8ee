"""A law form by its name: one of FORMS, or one's own by import path (`my.laws.Tied`)."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from importlib import import_module

from analysis.errors import InputError
from analysis.forms import FORMS
from analysis.forms.automatic import constrained
from analysis.forms.form import Form


def find(name: str, fix: str | None = None, tie: str | None = None) -> Form:
    """The form, with `fix` ("E=0,alpha=0.3") and `tie` ("alpha=beta") applied.

    The folder one stands in is importable. Raises InputError where there is no such form.
    """
    if name in FORMS:
        form = import_module(f"analysis.forms.{FORMS[name][0]}").FORM
    elif "." in name:
        form = _own(name)
    else:
        raise InputError(
            f"law form {name!r} is none of {', '.join(FORMS)}, nor an import path like my.laws.Tied"
        )
    fixed, tied = _numbers(fix), _pairs(tie, "--tie")
    return constrained(form, fixed, tied) if fixed or tied else form


def _own(path: str) -> Form:
    module, _, attribute = path.rpartition(".")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = getattr(import_module(module), attribute)
    except Exception as error:  # whatever a user's file raises is told in one line
        raise InputError(f"law form {path!r}: {type(error).__name__}: {error}") from error
    if not isinstance(found, Form):
        raise InputError(f"law form {path!r} is not made by analysis.forms.automatic.law")
    return replace(found, name=found.name or path)


def _pairs(text: str | None, flag: str) -> dict[str, str]:
    found = {}
    for part in filter(None, (text or "").split(",")):
        name, equals, value = (v.strip() for v in part.partition("="))
        if not (name and equals and value):
            raise InputError(f"{flag} {text!r}: NAME=VALUE, parted by commas")
        found[name] = value
    return found


def _numbers(text: str | None) -> dict[str, float]:
    found = {}
    for name, value in _pairs(text, "--fix").items():
        try:
            found[name] = float(value)
        except ValueError:
            raise InputError(f"--fix {name}={value}: not a number") from None
    return found
