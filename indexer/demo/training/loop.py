"""The training loop: steps, schedule, averaged weights, saved state, progress."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn

from indexer.atomic_file import replacing
from indexer.demo.training.batches import BatchMaker, Material, Mixture
from indexer.demo.training.objectives import TrainingHeads, Weights, total_loss

Check = Callable[[Any, int], dict[str, float]]
"""Measures a model of averaged weights at a picture size."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn.

    Attributes:
        steps: number of batches.
        sizes: (share of the steps, picture side in pixels): small pictures first, as they teach as much per picture
            and cost less; the shares add up to 1.
        rate: greatest learning rate, after a warm-up over ``warm_up`` of the steps; falls to 0 as a cosine.
        decay: weight decay of matrices.
        averaging: decay of the moving average of weights per step.
        seed: of weights and batches.
    """

    steps: int
    sizes: tuple[tuple[float, int], ...] = ((0.5, 80), (0.3, 96), (0.2, 128))
    rate: float = 1.5e-3
    warm_up: float = 0.04
    decay: float = 0.05
    averaging: float = 0.999
    seed: int = 1
    mixture: Mixture = field(default_factory=Mixture)
    weights: Weights = field(default_factory=Weights)

    def size_px(self, step: int) -> int:
        """Picture side at a step."""
        end = 0.0
        for share, size_px in self.sizes:
            end += share * self.steps
            if step < end:
                return size_px
        return self.sizes[-1][1]

    def rate_at(self, step: int) -> float:
        """Learning rate at a step."""
        warm = max(1, round(self.warm_up * self.steps))
        if step < warm:
            return self.rate * (step + 1) / warm
        return self.rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, self.steps - warm)))


@dataclass(frozen=True)
class Share:
    """Which of several processes training together this one is; the first measures, saves and speaks.

    Each process runs on one thread, prepares its own part of a step's material and computes gradients from it; these
    are averaged before every step. On a machine shared with others that is far quicker than one process with several
    threads, which wait for one another in every single operation.
    """

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the first process."""
        return self.rank == 0

    def average(self, parameters: list[nn.Parameter]) -> None:
        """Replace gradients by their means over all processes."""
        if self.count == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self.count
        for gradient, part in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))


@dataclass(frozen=True)
class Place:
    """Where a training run keeps its state, and this process's part in it."""

    state_path: Path
    share: Share = field(default_factory=Share)


class Trainer:
    """Trains a model in place and keeps an average of its weights; can be stopped and started again.

    Args:
        model: an open_clip dual encoder.
        material: training data.
        tokenize: texts to int64 (T, 64).
        schedule: how to train.
        place: where the state is saved (continued from if it is there), and which process this is.
    """

    def __init__(
        self,
        model: Any,
        material: Material,
        tokenize: Callable[[list[str]], Tensor],
        schedule: Schedule,
        place: Place,
    ) -> None:
        self._model = model.to(memory_format=torch.channels_last)
        self._heads = TrainingHeads(model.text.output_dim, len(material.groceries.titles))
        self._batches = BatchMaker(material, schedule.mixture, schedule.seed * 1000 + place.share.rank)
        self._tokenize = tokenize
        self._schedule = schedule
        self._place = place
        self._optimizer = torch.optim.AdamW(_groups([self._model, self._heads], schedule.decay), betas=(0.9, 0.98))
        self.average: dict[str, Tensor] = {name: value.clone() for name, value in self._model.state_dict().items()}
        self.step = 0
        self.seconds = 0.0
        if place.state_path.is_file():
            self._restore()

    def run(self, check: Check, *, check_every: int = 500, save_every: int = 250) -> None:
        """Train to the end of the schedule, saving and measuring on the way."""
        began_s, began_step, shown = time.monotonic(), self.step, dict[str, float]()
        carried_s = self.seconds
        leads = self._place.share.leads
        while self.step < self._schedule.steps:
            parts = self._train_one()
            self.step += 1
            self.seconds = carried_s + time.monotonic() - began_s
            for name, value in parts.items():
                shown[name] = value if name not in shown else 0.98 * shown[name] + 0.02 * value
            if not leads:
                continue
            if self.step % 25 == 0:
                rate = (self.step - began_step) / (time.monotonic() - began_s)
                self._say(shown, rate)
            if self.step % save_every == 0:
                self._save()
            if self.step % check_every == 0 or self.step == self._schedule.steps:
                figures = check(self.average, self._schedule.size_px(self.step))
                sys.stderr.write(f"\nstep {self.step}: {json.dumps(figures)}\n")
        if leads:
            self._save()

    def _train_one(self) -> dict[str, float]:
        schedule = self._schedule
        batch = self._batches.make(self.step, schedule.size_px(self.step))
        tokens = self._tokenize(batch.texts)
        for group in self._optimizer.param_groups:
            group["lr"] = schedule.rate_at(self.step) * group["haste"]
        self._model.train()
        loss, parts = total_loss(self._model, self._heads, batch, tokens, schedule.weights)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss is {float(loss)} at step {self.step}")
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        parameters = [*self._model.parameters(), *self._heads.parameters()]
        self._place.share.average(parameters)
        nn.utils.clip_grad_norm_(parameters, 1.0)
        self._optimizer.step()
        with torch.no_grad():
            # SigLIP and CLIP keep the scale from running away.
            self._model.logit_scale.clamp_(0, math.log(100))
            if self._place.share.leads:
                self._average()
        return parts

    def _average(self) -> None:
        decay = min(self._schedule.averaging, (1 + self.step) / (10 + self.step))
        for name, value in self._model.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - decay)
            else:
                self.average[name].copy_(value)

    def _say(self, shown: dict[str, float], rate: float) -> None:
        left_min = (self._schedule.steps - self.step) / rate / 60
        losses = " ".join(f"{name} {value:.3f}" for name, value in shown.items())
        scale, bias = float(self._model.logit_scale.detach().exp()), float(self._model.logit_bias.detach())
        sys.stderr.write(
            f"{self.step}/{self._schedule.steps} {losses} scale {scale:.1f} bias {bias:.2f} "
            f"| {rate:.2f} steps/s, {left_min:.0f} min left\n"
        )
        sys.stderr.flush()

    def _save(self) -> None:
        state = {
            "model": self._model.state_dict(),
            "heads": self._heads.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "average": self.average,
            "step": self.step,
            "seconds": self.seconds,
            "schedule": json.dumps(asdict(self._schedule)),
        }
        with replacing(self._place.state_path) as file:
            torch.save(state, file)

    def _restore(self) -> None:
        state = torch.load(self._place.state_path, weights_only=True)
        if state["schedule"] != json.dumps(asdict(self._schedule)):
            raise ValueError(
                f"{self._place.state_path} was saved with another schedule; remove it or name another folder"
            )
        self._model.load_state_dict(state["model"])
        self._heads.load_state_dict(state["heads"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.average = state["average"]
        self.step, self.seconds = state["step"], state["seconds"]


def _groups(modules: list[nn.Module], decay: float) -> list[dict[str, Any]]:
    """Parameter groups: matrices and kernels decay, vectors do not, scales and biases of the losses learn faster.

    From SigLIP's starting values, meant for batches of thousands, those scalars have far to go here.
    """
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": decay, "haste": 1.0},
        {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0, "haste": 1.0},
        {"params": [p for p in parameters if p.ndim == 0], "weight_decay": 0.0, "haste": 10.0},
    ]
