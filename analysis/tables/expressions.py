"""Small expressions over a table's columns, for --map and --where, without running any code.

Guarantee: only arithmetic, comparisons, and/or/not, `in`, and the functions listed below are
evaluated; anything else, an unknown column included, is one clear line. A column whose name is
no identifier stands in backticks, as in pandas' query.
"""

from __future__ import annotations

import ast
import difflib
import operator
import re

import numpy as np
import pandas as pd

from analysis.errors import InputError

FUNCTIONS = {
    "log": np.log,
    "log10": np.log10,
    "log2": np.log2,
    "exp": np.exp,
    "sqrt": np.sqrt,
    "abs": np.abs,
}
ARITHMETIC = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.Mod: operator.mod,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
}
COMPARISONS = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def evaluate(text: str, table: pd.DataFrame, what: str) -> pd.Series:
    """The value of `text` in every row. what: the flag, for messages. Raises InputError."""
    if text.strip() in table.columns:
        return table[text.strip()]
    names: dict[str, str] = {}

    def stand_in(match: re.Match) -> str:
        name = f"_column_{len(names)}"
        names[name] = match.group(1)
        return name

    plain = re.sub(r"`([^`]*)`", stand_in, text)
    try:
        tree = ast.parse(plain.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError) as error:
        raise InputError(f"{what} {text!r}: {_unreadable(text, table)}") from error
    try:
        with np.errstate(all="ignore"):
            value = _value(tree, table, names, f"{what} {text!r}")
    except InputError:
        raise
    except (TypeError, ValueError, RecursionError, OverflowError, ZeroDivisionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{what} {text!r} can't be computed: {reason}") from error
    if not isinstance(value, pd.Series):
        value = pd.Series(value, index=table.index)
    return value


def condition(text: str, table: pd.DataFrame, what: str = "--where") -> pd.Series:
    """A condition as a boolean per row (missing values: False). Raises InputError."""
    value = evaluate(text, table, what)
    if value.dtype != bool:
        kinds = set(value.dropna().map(type))
        if not kinds <= {bool, np.bool_}:
            raise InputError(f"{what} {text!r} is not a condition: write one such as 'loss < 5'")
        value = value.fillna(False).astype(bool)
    return value


def _unreadable(text: str, table: pd.DataFrame) -> str:
    spaced = [str(c) for c in table.columns if not str(c).isidentifier() and str(c) in text]
    if spaced:
        return f"write the column {spaced[0]!r} in backticks: `{spaced[0]}`"
    return "can't be read as an expression"


def _value(node, table, names, what):
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float | str | bool):
        return node.value
    if isinstance(node, ast.Name):
        return _column(names.get(node.id, node.id), table, what)
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return [_value(item, table, names, what) for item in node.elts]
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        left, right = (_value(side, table, names, what) for side in (node.left, node.right))
        if isinstance(node.op, ast.Pow):  # integer powers of large columns would wrap around
            left = left.astype(float) if isinstance(left, pd.Series) else float(left)
        return ARITHMETIC[type(node.op)](_number(left), _number(right))
    if isinstance(node, ast.UnaryOp):
        value = _value(node.operand, table, names, what)
        if isinstance(node.op, ast.Not | ast.Invert):
            return ~value if isinstance(value, pd.Series) else not value
        return -value if isinstance(node.op, ast.USub) else +value
    if isinstance(node, ast.BoolOp):
        values = [_value(item, table, names, what) for item in node.values]
        joined = values[0]
        for value in values[1:]:
            joined = joined & value if isinstance(node.op, ast.And) else joined | value
        return joined
    if isinstance(node, ast.Compare):
        return _comparison(node, table, names, what)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        if node.func.id in FUNCTIONS and len(node.args) == 1:
            return FUNCTIONS[node.func.id](_value(node.args[0], table, names, what))
        raise InputError(f"{what}: {node.func.id!r} is none of {', '.join(FUNCTIONS)}")
    raise InputError(f"{what}: only arithmetic, comparisons, and, or, not, in are allowed")


def _number(value):
    """Integers as floats: 6 * params * tokens exceeds 64-bit integers."""
    if isinstance(value, pd.Series) and pd.api.types.is_integer_dtype(value):
        return value.astype(float)
    return value


def _comparison(node, table, names, what):
    left = _value(node.left, table, names, what)
    result = None
    for op, side in zip(node.ops, node.comparators, strict=True):
        right = _value(side, table, names, what)
        if isinstance(op, ast.In | ast.NotIn):
            if not isinstance(left, pd.Series) or not isinstance(right, list):
                raise InputError(f"{what}: 'in' needs a column and a list")
            part = left.isin(right)
            part = ~part if isinstance(op, ast.NotIn) else part
        elif type(op) in COMPARISONS:
            part = COMPARISONS[type(op)](left, right)
        else:
            raise InputError(f"{what}: 'is' is not allowed; use ==")
        result = part if result is None else result & part
        left = right
    return result


def _column(name: str, table: pd.DataFrame, what: str) -> pd.Series:
    if name in table.columns:
        return table[name]
    near = difflib.get_close_matches(name, [str(c) for c in table.columns], 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    shown = ", ".join(map(str, list(table.columns)[:12]))
    raise InputError(f"{what}: no column {name!r}{hint} (columns: {shown})")
