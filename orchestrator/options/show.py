"""`orchestrator config`: settings as tables on a terminal, as lines that grep finds in a pipe."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

from orchestrator.coerce import plain
from orchestrator.errors import UserError, near
from orchestrator.options.read import Section, sections
from orchestrator.options.rerun import run_file


def config(name: str | None) -> list[Section] | str:
    """The sections that a name asks for (null: all), or the YAML of the run that it begins.

    `name`: a group (model, model.momentum, task), an option with settings of its own (task=hops), a
    setting (optim.lr), or a run's id or the beginning of it. Raises: UserError.
    """
    known = sections()
    if name is None:
        return known
    asked = name.replace("/", ".").rstrip(".")
    found = [s for s in known if s.name == asked or s.name.startswith((f"{asked}.", f"{asked}="))]
    if found:
        return found
    for section in known:
        mine = [o for o in section.options if o.key == asked]
        if mine:
            return [Section(section.name, section.doc, mine)]
    try:
        return run_file(name)
    except UserError as e:
        if set(name) <= set("0123456789abcdef"):
            raise
        names = [s.name for s in known if s.name] + [o.key for s in known for o in s.options]
        groups = ", ".join(s.name for s in known if s.name and "=" not in s.name)
        hint = near(asked, names)
        raise UserError(f"config {name}: no group, setting or run{hint}; groups: {groups}") from e


def config_json(shown: list[Section] | str) -> Any:
    """The same as plain data; a run's as its YAML's content."""
    if isinstance(shown, str):
        import yaml

        return yaml.safe_load(shown)
    return [asdict(s) for s in shown]


def config_text(shown: list[Section] | str) -> None:
    """Print it: YAML as it is, sections for a person or for a pipe."""
    if isinstance(shown, str):
        print(shown, end="")
    elif sys.stdout.isatty():
        _tables(shown)
    else:
        print("\n".join(line for section in shown for line in _lines(section)))


def _tables(shown: list[Section]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.padding import Padding
    from rich.table import Table

    console = Console(highlight=False)
    for section in shown:
        console.print(f"\n[bold]{escape(section.name or 'every run')}[/]  {escape(section.doc)}")
        if section.files:
            table = Table.grid(padding=(0, 2))
            for option, comment in section.files.items():
                table.add_row(f"[green]{escape(_choice(section, option))}[/]", escape(comment))
            console.print(Padding(table, (0, 0, 0, 2)))
        table = Table.grid(padding=(0, 2))
        for o in section.options:
            about = f"[dim]{escape(o.type)}[/]" + (f"  {escape(o.doc)}" if o.doc else "")
            table.add_row(f"[cyan]{escape(o.key)}[/]={escape(plain(o.default))}", about)
        console.print(Padding(table, (0, 0, 0, 2)))


def _lines(section: Section) -> list[str]:
    """One line a setting: key=default, its type, its docstring, between tabs."""
    out = [f"# {section.name or 'every run'}: {section.doc}"]
    out += [f"{_choice(section, option)}\toption\t{c}" for option, c in section.files.items()]
    out += [f"{o.key}={plain(o.default)}\t{o.type}\t{o.doc}".rstrip() for o in section.options]
    return out


def _choice(section: Section, option: str) -> str:
    return f"{section.name.replace('.', '/')}={option}"
