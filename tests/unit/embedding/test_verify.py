"""verify-model: agrees with true tables, notices the classic mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from indexer.embedding.port import Embedder
from indexer.embedding.verify import PUBLISHED, PublishedTable, compare, tables_for
from indexer.errors import ConfigurationError
from indexer.images.decode import decode_image
from indexer.images.limits import ImageLimits
from tests.checkpoints import IMAGE_SIZE_PX
from tests.pictures import drawn_picture, encoded

TEXTS = ["a red mug", "a blue bag", "красная кружка"]
TABLE = PublishedTable("table", "tiny", at_model_size=True)


def write_table(folder: Path, embedder: Embedder, *, off_by: float = 0.0) -> None:
    """The embedder's own scores in the published form, each wrong by ``off_by``."""
    pixels = []
    for number in range(4):
        data = encoded(drawn_picture(number, size=(IMAGE_SIZE_PX, IMAGE_SIZE_PX)))
        (folder / f"table_img{number:02d}.jpg").write_bytes(data)
        pixels.append(embedder.prepare_image(decode_image(data, ImageLimits()).image))
    cosines = embedder.embed_images(np.stack(pixels)) @ embedder.embed_texts(TEXTS).T
    scores = (embedder.label_scale.scale * cosines + off_by).tolist()
    (folder / "table.json").write_text(json.dumps({"texts": TEXTS, "tempered_logits_image_x_text": scores}), "utf-8")


def test_a_true_table_agrees(tmp_path: Path, tiny_embedder: Embedder) -> None:
    write_table(tmp_path, tiny_embedder)
    result = compare(tiny_embedder, TABLE, tmp_path)
    assert result.agrees
    assert (result.pictures, result.texts) == (4, 3)
    assert result.largest < 1e-4
    assert result.same_best == 1


def test_a_difference_beyond_the_tolerance_is_noticed(tmp_path: Path, tiny_embedder: Embedder) -> None:
    write_table(tmp_path, tiny_embedder, off_by=0.11)
    result = compare(tiny_embedder, TABLE, tmp_path)
    assert not result.agrees
    assert result.largest == pytest.approx(0.11, abs=1e-4)
    write_table(tmp_path, tiny_embedder, off_by=0.09)
    assert compare(tiny_embedder, TABLE, tmp_path).agrees


def test_missing_tables_are_told(tmp_path: Path, tiny_embedder: Embedder) -> None:
    with pytest.raises(ConfigurationError, match=r"table .*cannot be read"):
        compare(tiny_embedder, TABLE, tmp_path)


def test_the_published_tables_have_the_form_that_is_read(shared_data: Path, tiny_embedder: Embedder) -> None:
    folder = shared_data / "siglip" / "published"
    for table in PUBLISHED:
        result = compare(tiny_embedder, table, folder)
        assert result.pictures >= 10
        assert result.texts >= 18
        # random weights cannot agree; that they are told apart is the point of the command
        assert not result.agrees


def test_models_have_their_tables() -> None:
    assert [table.stem for table in tables_for("ViT-L-16-SigLIP-384")] == ["SigLIP_demo_table1"]
    assert tables_for("demo") == []
