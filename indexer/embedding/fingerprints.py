"""Hashes that tell one tokenizer and one set of weights from another."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from indexer.embedding.port import TokenIds

_PROBE_TEXTS = (
    "",
    "a photo of a cat",
    "A RED mug, with white_dots!",
    "красная кружка в горошек",
    "红色的马克杯",
    "cốc màu đỏ",
    "Straße, naïve café — 100% cotton",
    "赤いマグカップ",
    "SKU 4006381333931 / MX-500",
    "long " * 100,
)
"""Texts that differ between tokenizers in case, punctuation, scripts, padding and truncation."""


def tokenizer_fingerprint(tokenize: Callable[[Sequence[str]], TokenIds]) -> str:
    """12 hexadecimal digits over the ids of fixed probe texts; two tokenizers that differ in use differ here."""
    ids = tokenize(_PROBE_TEXTS)
    digest = hashlib.sha256(repr(ids.shape).encode())
    digest.update(np.ascontiguousarray(ids, dtype="<i8").tobytes())
    return digest.hexdigest()[:12]


def weights_fingerprint(state: Mapping[str, torch.Tensor]) -> str:
    """12 hexadecimal digits over names, shapes and float32 values of all parameters and buffers.

    Stored half precision and full precision copies of the same numbers have the same fingerprint.
    """
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().to("cpu")
        if tensor.is_floating_point():
            tensor = tensor.to(torch.float32)
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().data if tensor.numel() else b"")
    return digest.hexdigest()[:12]
