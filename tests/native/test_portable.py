"""The same C++ by GCC and clang, on x86-64 and aarch64, and under sanitisers: torch's losses each time,
and no byte read or written that was not given, whatever a call says of itself."""

from __future__ import annotations

import dataclasses
import platform
import shutil

import numpy as np
import pytest

from orchestrator.models.native.build import FLAGS
from orchestrator.training.selfcheck import SHAPES, TOLERANCE
from tests.native.calls import Call, Noise, calls, compiled, drive, random_run, torch_losses

PLAIN = [f for f in FLAGS if f not in ("-shared", "-fPIC")]
SANITISED = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
BUILDS = {
    "g++": ("g++", PLAIN, []),
    "clang++": ("clang++", PLAIN, []),
    # Cortex-A72 has no SVE and qemu knows it: the processor that most arm64 code is built for.
    "aarch64": ("aarch64-linux-gnu-g++", [*PLAIN, "-static", "-mcpu=cortex-a72"], ["qemu-aarch64"]),
}
MANY = 120


def needs(*programs: str) -> None:
    """Skip where a program is missing, but for what .ci/run installs where it runs."""
    missing = [p for p in programs if shutil.which(p) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)}: not installed here")


def made() -> list[Call]:
    """Training calls of the shapes of the self-check and of nine random ones."""
    fixed = [
        dataclasses.replace(random_run(0), model=m, task=Noise(11, 12, 1, 12, 2)) for m in SHAPES
    ]
    return [
        calls(run, i)[0] for i, run in enumerate(fixed + [random_run(i) for i in range(100, 109)])
    ]


@pytest.mark.parametrize("name", BUILDS)
def test_losses_of_five_steps_are_torchs(name, tmp_path, record_property):
    compiler, flags, emulator = BUILDS[name]
    needs(compiler, *emulator)
    program = compiled([compiler, *flags], tmp_path)
    given = made()
    errors = []
    for call, answer in zip(given, drive([*emulator, str(program)], given, tmp_path), strict=True):
        assert answer.words == ""
        exact = torch_losses(call)
        errors.append(float(np.max(np.abs(answer.values["loss"] - exact) / exact)))
    record_property("largest relative difference", max(errors))
    print(f"{name}: largest relative difference of {len(given)} shapes' losses {max(errors):.1e}")
    assert max(errors) < TOLERANCE


@pytest.fixture(scope="module")
def sanitised(tmp_path_factory):
    needs("g++")
    if platform.system() != "Linux":
        pytest.skip("the sanitisers' options are those of Linux")
    return compiled(["g++", *SANITISED], tmp_path_factory.mktemp("sanitised"))


def test_sanitisers_find_nothing_in_random_shapes(sanitised, tmp_path):
    given = [call for seed in range(MANY) for call in calls(random_run(seed), seed, steps=2)]
    answers = drive([str(sanitised)], given, tmp_path)
    assert [a.words for a in answers] == [""] * (2 * MANY)
    assert all(np.isfinite(a.values["loss"]).all() for a in answers)


def damaged(call: Call, r: np.random.Generator) -> Call:
    """A call that says or brings something else than it should."""
    arrays = [k for k, v in call.values.items() if isinstance(v, np.ndarray) and v.size]
    name = arrays[r.integers(len(arrays))]
    x = call.values[name]
    flat = x.ravel()
    kinds = {
        "shorter": lambda: call.given(**{name: flat[:-1]}),
        "much shorter": lambda: call.given(**{name: flat[: flat.size // 2]}),
        "none": lambda: call.given(**{name: flat[:0]}),
        "longer": lambda: call.given(**{name: np.append(flat, flat[:1])}),
        "twice": lambda: call.given(**{name: np.append(flat, flat)}),
        "size": lambda: _resized(call, r),
        "number": lambda: _out_of_range(call, r),
    }
    return kinds[list(kinds)[r.integers(len(kinds))]]()


def _resized(call: Call, r: np.random.Generator) -> Call:
    name = list(call.sizes)[r.integers(len(call.sizes))]
    n = call.sizes[name]
    other = (0, -1, n - 1, n + 1, 2 * n, -n, 2**31, 2**32 + n, 2**62, -(2**63))
    return call.told(**{name: int(other[r.integers(len(other))])})


def _out_of_range(call: Call, r: np.random.Generator) -> Call:
    names = [k for k in ("tokens", "targets", "seen") if k in call.values]
    name = names[r.integers(len(names))]
    end = call.sizes["U"] if name == "seen" else call.run.task.vocab
    x = call.values[name].copy()
    wrong = (-1, end, end + 1, 2**31, 2**32, -(2**63), -101)
    x.flat[r.integers(x.size)] = wrong[r.integers(len(wrong))]
    return call.given(**{name: x})


def test_broken_sizes_are_refused_and_nothing_is_touched(sanitised, tmp_path):
    r, given, whole = np.random.default_rng(1), [], []
    for seed in range(MANY):
        for call in calls(random_run(seed), seed, steps=2):
            given.append(damaged(call, r))
            whole.append(call)
    for call, answer in zip(given, drive([str(sanitised)], given, tmp_path), strict=True):
        assert answer.words, (call.sizes, call.shape)
        for name, value in answer.values.items():
            before = call.values[name]
            assert np.array_equal(value, before), (name, answer.words)


def test_another_shape_than_the_buffers_are_of_is_never_read_past_an_end(sanitised, tmp_path):
    """Some are another good shape of the same sizes (positions that are scored): those may run."""
    r, given, moved = np.random.default_rng(2), [], []
    for seed in range(MANY):
        for call in calls(random_run(seed), seed, steps=2):
            fields = [k for k in call.shape if k != "eps"]
            name = fields[r.integers(len(fields))]
            n = call.shape[name]
            other = [
                v
                for v in (0, -1, n - 1, n + 1, 2 * n, n + 16, 2**16 + 1, 2**31 - 1, -(2**31))
                if v != n
            ]
            given.append(call.shaped(**{name: int(other[r.integers(len(other))])}))
            moved.append(name)
    answers = drive([str(sanitised)], given, tmp_path)
    ran = {name for name, answer in zip(moved, answers, strict=True) if not answer.words}
    assert ran <= {"start", "every"}, ran
