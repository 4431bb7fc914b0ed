"""``benchmarks/results/latest.json``: the rows of all pieces, when each was measured, and on what."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from benchmarks.rows import Row
from indexer.atomic_file import replace_file
from indexer.processors import available_cores

LATEST = Path(__file__).parent / "results" / "latest.json"
_REPOSITORY = Path(__file__).parents[1]
_PACKAGES = (
    "torch", "openvino", "nncf", "open_clip_torch", "timm", "transformers", "pillow", "numpy", "qdrant-edge-py",
    "qdrant-client", "fastapi", "uvicorn",
)  # fmt: skip


class Machine(BaseModel):
    """What was measured on; figures of different machines are not mixed.

    Attributes:
        cpu: model name, with family, model and stepping, which tell apart what a hypervisor names alike.
        cores: that the process may use.
        memory_gb: of the machine.
        system: kernel and architecture.
        instructions: of those that matter to models, what the processor has.
    """

    model_config = ConfigDict(frozen=True)

    cpu: str
    cores: int
    memory_gb: float
    system: str
    instructions: tuple[str, ...] = ()


class Piece(BaseModel):
    """One benchmark of a ``make bench``.

    Attributes:
        name: of the piece.
        command: that measured it.
        measured_at: ISO 8601, UTC.
        seconds: that it took.
        load: average of the minute before it, without it.
        versions: of Python and of packages that matter.
        commit: of this program; ``+`` behind it where files were changed since.
        failure: why it has no rows or not all; empty if it has.
        rows: what it measured.
    """

    name: str
    command: str
    measured_at: str
    seconds: float
    load: float
    versions: dict[str, str] = {}
    commit: str = ""
    failure: str = ""
    rows: tuple[Row, ...] = ()


class Results(BaseModel):
    """The file.

    Attributes:
        machine: all was measured on.
        pieces: as they were measured, each with the rows it gave left out.
        rows: of all pieces.
    """

    machine: Machine
    pieces: list[Piece] = []
    rows: list[Row] = []

    def with_piece(self, piece: Piece) -> Results:
        """The same with a piece measured anew."""
        pieces = [item for item in self.pieces if item.name != piece.name] + [piece.model_copy(update={"rows": ()})]
        fresh = [row.model_copy(update={"piece": piece.name}) for row in piece.rows]
        return Results(
            machine=self.machine, pieces=pieces, rows=[row for row in self.rows if row.piece != piece.name] + fresh
        )


def read_results(path: Path = LATEST) -> Results:
    """What was measured on this machine so far; nothing if the file is missing, damaged or of another machine."""
    machine = this_machine()
    try:
        results = Results.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return Results(machine=machine)
    return results if results.machine == machine else Results(machine=machine)


def write_results(results: Results, path: Path = LATEST) -> None:
    """Replaces the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, results.model_dump_json(indent=2) + "\n")


def this_machine() -> Machine:
    """The one that runs this."""
    facts = _cpu_facts()
    flags = set(facts.get("flags", "").split())
    wanted = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
    model = " ".join(facts.get(key, "?") for key in ("cpu family", "model", "stepping"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return Machine(
        cpu=f"{facts.get('model name', platform.processor() or 'unknown')} (family, model, stepping: {model})",
        cores=available_cores(),
        memory_gb=round(memory, 1),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        instructions=tuple(name for name in wanted if name in flags),
    )


def versions() -> dict[str, str]:
    """Of Python and of the packages that matter to speed."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def commit(folder: Path = _REPOSITORY) -> str:
    """Of a checkout; ``+`` behind it if program files below ``folder`` differ from it; empty if it is no checkout."""
    try:
        found = _git(folder, "rev-parse", "--short=10", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", "*.py")
    except (OSError, subprocess.CalledProcessError):
        return ""
    return found + ("+" if changed else "")


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], check=True, capture_output=True, text=True, cwd=folder)
    return done.stdout.strip()


def _cpu_facts() -> dict[str, str]:
    """Of the first processor in ``/proc/cpuinfo``; empty where there is none."""
    try:
        first = Path("/proc/cpuinfo").read_text("utf-8").split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}
