"""Other packages that embed pictures, on the same files: ``python -m benchmarks.peers``.

Each is installed from the package index into an environment of its own below ``.bench``, which sees this program's
packages but is never seen by it. None of them finds a trained model without a model hub, so each gets a ViT-B/16
of 224 px with random weights in the form that it loads, and this program's raw backends run the same shape. What cannot
be installed or does not run is a row that says so.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.checkpoints import B16_224, CACHE
from benchmarks.indexing import Setup, index_parts, index_rate, opened_embedder
from benchmarks.rounds import Contestant, Rounds
from benchmarks.rows import Claim, Row, add_json_flag, report
from benchmarks.shop_photos import write_catalog

_ENVIRONMENTS = CACHE.resolve().parent / "peers"
_INSTALL_S, _RUN_S = 600, 400
_PICTURES = 64

_MODEL = """
import asyncio, json, sys, time
from pathlib import Path
from PIL import Image
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizer
folder, files = Path(sys.argv[1]), sys.argv[2:]
vision = {"image_size": 224, "patch_size": 16, "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
          "num_attention_heads": 12}
text = {"vocab_size": 64, "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 1,
        "bos_token_id": 46, "eos_token_id": 47}
CLIPModel(CLIPConfig(vision_config=vision, text_config=text)).save_pretrained(folder)
letters = [chr(code) for code in range(97, 120)]
vocabulary = {token: at for at, token in enumerate(letters + [f"{x}</w>" for x in letters] + ["<|startoftext|>",
              "<|endoftext|>"])}
(folder / "vocab.json").write_text(json.dumps(vocabulary))
(folder / "merges.txt").write_text("#version: 0.2\\n")
CLIPProcessor(CLIPImageProcessor(), CLIPTokenizer.from_pretrained(folder)).save_pretrained(folder)
"""
_SENTENCE_TRANSFORMERS = """
from sentence_transformers import SentenceTransformer
try:
    from sentence_transformers.sentence_transformer.modules import CLIPModel as Module
except ImportError:
    from sentence_transformers.models import CLIPModel as Module
model = SentenceTransformer(modules=[Module(str(folder))], device="cpu")
def embed():
    model.encode([Image.open(file) for file in files], batch_size=32, normalize_embeddings=True)
embed()
start = time.perf_counter()
embed()
print("RATE", len(files) / (time.perf_counter() - start))
"""
_INFINITY = """
from infinity_emb import AsyncEmbeddingEngine, EngineArgs
engine = AsyncEmbeddingEngine.from_args(EngineArgs(
    model_name_or_path=str(folder), engine="torch", device="cpu", dtype="float32", batch_size=32, model_warmup=False,
    bettertransformer=False, compile=False))
async def embed():
    async with engine:
        await engine.image_embed(images=[Image.open(file) for file in files])
        start = time.perf_counter()
        await engine.image_embed(images=[Image.open(file) for file in files])
        print("RATE", len(files) / (time.perf_counter() - start))
asyncio.run(embed())
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """A package, and a program that prints ``RATE`` and its pictures a second.

    Attributes:
        package: as the index names it.
        program: gets a folder for its model, and the pictures.
        needs: what it imports and does not declare, or bounds that it needs and does not set.
    """

    package: str
    program: str
    needs: tuple[str, ...] = ()


PEERS = (
    Peer("sentence-transformers", _MODEL + _SENTENCE_TRANSFORMERS),
    # with transformers 5 its worker fails at the first picture, and who asked waits for ever
    Peer("infinity-emb", _MODEL + _INFINITY, needs=("requests", "aiohttp", "transformers<5")),
)


class PeerFailed(Exception):
    """It could not be installed or run; says why."""


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    add_json_flag(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        setup = Setup(write_catalog(Path(name) / "catalog", 256), B16_224, Path(name), seconds=6.0)
        opened = opened_embedder(setup, "int8")
        with index_parts(opened.embedder, setup) as parts:
            contestants: dict[str, Contestant] = {"ours": lambda: index_rate(parts, setup, 2 * _PICTURES)}
            contestants |= {peer.package: contestant(peer, setup) for peer in PEERS}
            taken = Rounds(contestants).run(arguments.rounds)
    report([row_of(peer, taken, setup) for peer in PEERS], arguments.json)


def row_of(peer: Peer, taken: Rounds, setup: Setup) -> Row:
    """The row of a peer."""
    return taken.row(
        Claim(
            f"index run, {B16_224} int8, and {peer.package}",
            "images/s",
            f"{peer.package}, ViT-B/16-224 in float32, embedding alone",
            note=f"random weights on both sides; {setup.catalog.pictures}",
            charted=True,
        ),
        "ours",
        peer.package,
    )


def contestant(peer: Peer, setup: Setup) -> Contestant:
    """Installs a peer if need be, and runs its program."""

    def rate() -> float:
        python = installed(peer)
        files = [str(file) for file in setup.catalog.files[:_PICTURES]]
        with tempfile.TemporaryDirectory(dir=setup.scratch) as model:
            printed = output_of([str(python), "-c", peer.program, model, *files], _RUN_S)
        return float(printed.rpartition("RATE ")[2].split()[0])

    return rate


def installed(peer: Peer) -> Path:
    """The Python of a peer's own environment: some of them want older versions of what others need.

    Raises:
        PeerFailed: it cannot be installed.
    """
    folder = _ENVIRONMENTS / peer.package
    python = folder / "bin" / "python"
    if not python.exists():
        output_of([sys.executable, "-m", "venv", str(folder)], _INSTALL_S)
        packages = next((folder / "lib").glob("python*")) / "site-packages"
        # what this program has need not be downloaded again; the environment's own packages come first
        (packages / "product.pth").write_text(sysconfig.get_paths()["purelib"] + "\n", "utf-8")
    install = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", peer.package, *peer.needs]
    output_of(install, _INSTALL_S)
    return python


def output_of(command: Sequence[str], longest_s: float) -> str:
    """What a command prints.

    Raises:
        PeerFailed: it fails or takes too long; the message has its last line.
    """
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=longest_s)
    except subprocess.TimeoutExpired as error:
        raise PeerFailed(f"took longer than {longest_s:g} s") from error
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout or "").strip().splitlines() or [f"exit code {error.returncode}"]
        raise PeerFailed(said[-1][:300]) from error
    return done.stdout


if __name__ == "__main__":
    main()
