"""What training minimises."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from indexer.demo.rendering.colours import PALETTE
from indexer.demo.rendering.patterns import PATTERNS
from indexer.demo.rendering.shapes import DRAWINGS
from indexer.demo.training.batches import Batch


@dataclass(frozen=True)
class Weights:
    """How much each part of the loss counts."""

    text: float = 1.0
    sameness: float = 0.7
    product: float = 1.0
    attributes: float = 0.3


class TrainingHeads(nn.Module):
    """Parameters that only training needs: scale and bias between pictures, product vectors, attribute classifiers."""

    def __init__(self, embed_dim: int, products: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(math.log(10.0)))
        self.bias = nn.Parameter(torch.tensor(-8.0))
        self.products = nn.Parameter(torch.randn(products, embed_dim) * embed_dim**-0.5)
        self.product_scale = nn.Parameter(torch.tensor(math.log(16.0)))
        sizes = (len(DRAWINGS), len(PALETTE), len(PATTERNS), len(PALETTE))
        self.attributes = nn.ModuleList(nn.Linear(embed_dim, size) for size in sizes)


def sigmoid_loss(logits: Tensor, marks: Tensor) -> Tensor:
    """The sigmoid loss of SigLIP (Zhai et al., "Sigmoid loss for language image pre-training", 2023, eq. 1).

    Args:
        logits: float32 (B, T), scale * cosine + bias.
        marks: float32 (B, T), 1 for a pair that belongs together, -1 for one that does not, 0 to leave a pair out.

    Returns:
        The mean over rows of the summed losses, scalar.
    """
    losses = -functional.logsigmoid(marks * logits) * marks.abs()
    return losses.sum() / len(logits)


def total_loss(
    model: Any, heads: TrainingHeads, batch: Batch, tokens: Tensor, weights: Weights
) -> tuple[Tensor, dict[str, float]]:
    """The loss of a batch and its parts, for the log. ``tokens`` are the batch's texts, int64 (T, 64)."""
    # float32: without matrix instructions for bfloat16, autocast costs more than it saves on a CPU
    raw, raw_texts = model.encode_image(batch.pictures), model.encode_text(tokens)
    pictures, texts = functional.normalize(raw, dim=-1), functional.normalize(raw_texts, dim=-1)
    text_logits = model.logit_scale.exp() * pictures @ texts.T + model.logit_bias
    same_logits = heads.scale.exp() * pictures @ pictures.T + heads.bias
    parts = {
        "text": sigmoid_loss(text_logits, batch.agreement),
        "sameness": sigmoid_loss(same_logits, batch.sameness),
        "product": _product_loss(pictures, heads, batch),
        "attributes": _attribute_loss(raw, heads, batch.attributes),
        "claims": _attribute_loss(raw_texts, heads, batch.claims),
    }
    total = (
        weights.text * parts["text"]
        + weights.sameness * parts["sameness"]
        + weights.product * parts["product"]
        + weights.attributes * (parts["attributes"] + parts["claims"])
    )
    return total, {name: float(value.detach()) for name, value in parts.items()}


def _product_loss(pictures: Tensor, heads: TrainingHeads, batch: Batch) -> Tensor:
    """Cross entropy of grocery pictures against learned product vectors, mixed pictures by their shares."""
    rows = torch.nonzero(batch.product >= 0).flatten()
    logits = heads.product_scale.exp() * pictures[rows] @ functional.normalize(heads.products, dim=-1).T
    first = functional.cross_entropy(logits, batch.product[rows], reduction="none", label_smoothing=0.05)
    second = functional.cross_entropy(logits, batch.second_product[rows], reduction="none", label_smoothing=0.05)
    share = batch.share[rows]
    return (share * first + (1 - share) * second).mean()


def _attribute_loss(raw: Tensor, heads: TrainingHeads, codes: Tensor) -> Tensor:
    """Cross entropy of type, colour, pattern and accent, each from the embedding before it is scaled to length 1.

    The same classifiers read pictures and captions of drawn products, which draws the two together early on.
    """
    losses = [
        functional.cross_entropy(head(raw), codes[:, column], ignore_index=-1)
        for column, head in enumerate(heads.attributes)
    ]
    return torch.stack(losses).nan_to_num().sum()
