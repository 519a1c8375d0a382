"""Where the runs of a sweep keep what XLA compiles, so that the next run of the same sizes need not do it again."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
from pathlib import Path

from mgail_dyna import runtime

# Beside the sweep's runs.
NAME = ".compiled"
CPU_INFO = Path("/proc/cpuinfo")


def compiled_cache(runs: Path) -> dict[str, str]:
    """Environment variables of a run that keeps its compiled updates below `runs`, and takes those that are there.

    Machine code fits one kind of CPU and one version of TensorFlow, so the directory is named by both. Where the CPU
    is not known, or TensorFlow could not read the path, nothing is kept. The numbers are the same with and without it,
    bit for bit.
    """
    cpu, path = _cpu(), runs.absolute() / NAME
    if cpu is None or len(str(path).split()) > 1:  # TensorFlow splits its flags at blanks
        return {}
    about = [cpu, *(f"{name} {version}" for name, version in sorted(runtime.versions().items()))]
    directory = path / hashlib.sha256("\n".join(about).encode()).hexdigest()[:16]
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError:
        return {}
    # TensorFlow warns at every load that it cannot name two of its own options for the CPU.
    flag = f"--tf_xla_persistent_cache_directory={directory}"
    return {"TF_XLA_FLAGS": f"{os.environ.get('TF_XLA_FLAGS', '')} {flag}".strip(), "TF_CPP_MIN_LOG_LEVEL": "3"}


def forget_compiled(runs: Path) -> None:
    """Removes what is kept below `runs`: TensorFlow fails on a damaged file, so a run that failed may have met one.

    The directories stay, as other runs may be about to write there.
    """
    for file in (runs / NAME).rglob("*.pb"):
        with contextlib.suppress(OSError):
            file.unlink()


def _cpu() -> str | None:
    """The machine's name for its CPU and for what that can do."""
    try:
        lines = CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    known = sorted({line for line in lines if line.split(":")[0].strip() in ("model name", "flags", "Features")})
    return "\n".join([platform.machine(), *known]) if known else None
