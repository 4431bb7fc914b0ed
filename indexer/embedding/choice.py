"""Which model is asked for, and the names that it can be asked for by."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

DEMO_MODEL = "demo"
LOCAL_DIR = "local-dir:"
DEFAULT_CPU_MODEL = "ViT-B-32-SigLIP2-256"
DEFAULT_GPU_MODEL = "ViT-B-16-SigLIP2"
AUTO_MODEL = "auto"

Device = Literal["auto", "cpu", "cuda"]
Backend = Literal["auto", "torch", "openvino"]
Precision = Literal["auto", "float32", "bf16", "int8"]


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model and how it runs.

    Attributes:
        model: an open_clip name (``ViT-B-16-SigLIP2``), ``local-dir:PATH`` for a checkpoint folder, ``demo`` for the
            small model in this repository, ``auto`` for the default of the device.
        pretrained: tag of the weights of a named model; empty takes ``webli`` or the only one there is.
        device: ``auto`` takes a GPU if there is one.
        backend: ``auto`` takes what ``tune`` chose on this machine for this model, else torch.
        precision: ``auto`` takes what ``tune`` chose, else bf16 on a GPU and float32 on a CPU.
        batch_size: pictures or texts in one forward pass, a power of two; 0: what suits the device.
        threads: of the CPU backend; 0 takes the cores that the process may use.
        cache_dir: where downloaded weights are kept; empty takes the hub client's own place.
        models_dir: where converted towers and what was measured of them are kept; empty keeps nothing.
    """

    model: str = AUTO_MODEL
    pretrained: str = ""
    device: Device = "auto"
    backend: Backend = "auto"
    precision: Precision = "auto"
    batch_size: int = 0
    threads: int = 0
    cache_dir: str = ""
    models_dir: str = ""


def demo_checkpoint() -> Path:
    """Folder of the demo model's checkpoint in this installation."""
    return Path(str(files("indexer.demo"))) / "checkpoint"
