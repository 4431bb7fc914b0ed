"""Image towers opened up: a vector in the joint space for every patch, and how much each counts in the picture's own.

A patch's vector is what the tower's own pooling and head make of that patch alone. Where the pooling is an attention
over all patches (SigLIP's), the softmax over a single one is 1, so its value goes on as it is: the value projections
that MaskCLIP (Zhou et al. 2022, arXiv 2112.01071) segments with. In a tower with a class token (CLIP's) the values of
the last attention are taken, as there. Where patches are averaged, the picture's vector is the mean of theirs.

Nothing here imports open_clip or timm: a tower is told by the parts that it has.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from indexer.embedding.openclip import LoadedModel
from indexer.errors import PatchesUnavailable

_CONVOLUTION_SCALE = 2
"""A convolutional tower takes pictures of any size, and its last grid is coarse (4 x 4 in the demo model): pictures are
fed at twice the side that it was trained with. What other sides find is in ``docs/relevance.md``."""


class PatchModule(nn.Module):
    """Bytes to patches: uint8 (B, S, S, 3) to vectors (B, H * W, D), not normalised, and weights (B, H * W).

    Weights are not negative and sum up to 1: the attention of the pooling; all the same where there is none. The grid
    is square.

    Args:
        model: loaded; its image tower is used, not copied.

    Raises:
        PatchesUnavailable: the tower is of a kind whose patches cannot be had.
    """

    def __init__(self, model: LoadedModel) -> None:
        super().__init__()
        self.tower = _opened(cast("Any", model.module).visual, model.space.model)
        size_px = model.space.image_size_px
        self.side_px = size_px * _CONVOLUTION_SCALE if isinstance(self.tower, _Convolutions) else size_px
        self.scale = torch.from_numpy(model.preprocess.byte_scale)
        self.shift = torch.from_numpy(model.preprocess.byte_shift)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        weight = next(self.tower.parameters())
        scale, shift = self.scale.to(pixels.device), self.shift.to(pixels.device)
        values = torch.addcmul(shift, pixels.permute(0, 3, 1, 2).to(torch.float32), scale)
        vectors, weights = self.tower(values.to(weight.dtype))
        return vectors.float(), weights.float()


class _AttentionPooled(nn.Module):
    """timm's vision transformer with attention pooling: SigLIP and SigLIP 2."""

    def __init__(self, visual: Any) -> None:
        super().__init__()
        self.trunk, self.head = visual.trunk, visual.head

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.trunk.forward_features(values)
        batch, count, width = tokens.shape
        alone = self.head(self.trunk.forward_head(tokens.reshape(batch * count, 1, width)))
        return alone.reshape(batch, count, -1), self._attention(tokens)

    def _attention(self, tokens: Tensor) -> Tensor:
        """Of the pooling's learned query, mean over the heads: (B, N)."""
        pool = self.trunk.attn_pool
        batch, count, _ = tokens.shape
        heads = (batch, -1, pool.num_heads, pool.head_dim)
        query = pool.q_norm(pool.q(pool.latent.expand(batch, -1, -1)).reshape(heads).transpose(1, 2))
        keys = pool.kv(tokens).reshape(batch, count, 2, pool.num_heads, pool.head_dim)[:, :, 0].transpose(1, 2)
        scores = (query * pool.scale) @ pool.k_norm(keys).transpose(-2, -1)
        return cast("Tensor", scores.float().softmax(dim=-1).mean(dim=(1, 2)))


class _Averaged(nn.Module):
    """timm's vision transformers that average their patches, or pool by a class token."""

    def __init__(self, visual: Any) -> None:
        super().__init__()
        self.trunk, self.head = visual.trunk, visual.head
        self.prefix = int(getattr(visual.trunk, "num_prefix_tokens", 0))

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.trunk.forward_features(values)
        patches = tokens[:, self.prefix :]
        batch, count, width = patches.shape
        # in every place that the pooling may look at
        alone = patches.reshape(batch * count, 1, width).expand(-1, self.prefix + 1, -1)
        vectors = self.head(self.trunk.forward_head(alone)).reshape(batch, count, -1)
        return vectors, _even(vectors)


class _Convolutions(nn.Module):
    """timm's convolutional networks whose last map is averaged: each of its cells is a patch."""

    def __init__(self, visual: Any) -> None:
        super().__init__()
        self.trunk, self.head = visual.trunk, visual.head

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        cells = self.trunk.forward_features(values)
        batch, width, height, breadth = cells.shape
        alone = cells.permute(0, 2, 3, 1).reshape(batch * height * breadth, width, 1, 1)
        vectors = self.head(self.trunk.forward_head(alone)).reshape(batch, height * breadth, -1)
        return vectors, _even(vectors)


class _ClassToken(nn.Module):
    """open_clip's own vision transformer, pooled by its class token: CLIP."""

    def __init__(self, visual: Any) -> None:
        super().__init__()
        self.visual = visual

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        visual = self.visual
        tokens = visual._embeds(values)  # noqa: SLF001 - patches with their positions; there is no public name for it
        *blocks, last = visual.transformer.resblocks
        for block in blocks:
            tokens = block(tokens)
        seen, attention = last.ln_1(tokens), last.attn
        batch, count, width = seen.shape
        query, key, value = nn.functional.linear(seen, attention.in_proj_weight, attention.in_proj_bias).chunk(
            3, dim=-1
        )
        heads = (batch, count, attention.num_heads, width // attention.num_heads)
        scores = (
            query.reshape(heads)[:, :1].transpose(1, 2) @ key.reshape(heads).permute(0, 2, 3, 1) * heads[-1] ** -0.5
        )
        of_class = scores.float().softmax(dim=-1).mean(dim=(1, 2))[:, 1:]
        vectors = visual.ln_post(attention.out_proj(value[:, 1:])) @ visual.proj
        return vectors, of_class / of_class.sum(dim=-1, keepdim=True)


def _even(vectors: Tensor) -> Tensor:
    """The same weight for every patch: (B, N), sum 1."""
    return torch.ones_like(vectors[..., 0]) / vectors.shape[1]


def _opened(visual: Any, name: str) -> nn.Module:
    trunk = getattr(visual, "trunk", None)
    if trunk is not None:
        pool = getattr(trunk, "attn_pool", None)
        if pool is not None:
            if getattr(pool, "latent_len", 0) == 1 and getattr(pool, "pos_embed", None) is None:
                return _AttentionPooled(visual)
        elif hasattr(trunk, "blocks") and hasattr(trunk, "patch_embed") and hasattr(trunk, "num_prefix_tokens"):
            return _Averaged(visual)
        elif _is_convolutional(visual):
            return _Convolutions(visual)
    elif _has_class_token(visual):
        return _ClassToken(visual)
    raise PatchesUnavailable(
        f"The image tower of {name} ({type(trunk or visual).__name__}) gives no vectors of patches.",
        "Choose another model, set region_detector, or draw the box.",
    )


def _is_convolutional(visual: Any) -> bool:
    # an attention in the head would need the whole map, and maps of other layouts are not told apart by their shape
    pooled = getattr(visual.trunk, "global_pool", None) or getattr(
        getattr(visual.trunk, "head", None), "global_pool", None
    )
    channels_last = getattr(visual.trunk, "output_fmt", "NCHW") != "NCHW"
    return pooled is not None and "pool" not in dict(visual.head.named_children()) and not channels_last


def _has_class_token(visual: Any) -> bool:
    blocks = getattr(getattr(visual, "transformer", None), "resblocks", None)
    return (
        blocks is not None
        and getattr(visual, "pool_type", "") == "tok"
        and getattr(visual, "attn_pool", None) is None
        and hasattr(visual, "class_embedding")
        and isinstance(getattr(blocks[-1], "attn", None), nn.MultiheadAttention)
    )
