"""The demo's tokenizer: sub-words for alphabets, single characters for Chinese, bytes for everything else."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

PAD, END, UNKNOWN = "<pad>", "</s>", "<unk>"
PAD_ID, END_ID, UNKNOWN_ID = 0, 1, 2
CONTEXT_LENGTH = 64

ALPHABET = (
    "abcdefghijklmnopqrstuvwxyz0123456789&%'’.,-+/"
    "абвгдежзийклмнопрстуфхцчшщъыьэюя"
    "àáảãạăằắẳẵặâầấẩẫậèéẻẽẹêềếểễệìíỉĩịòóỏõọôồốổỗộơờớởỡợùúủũụưừứửữựỳýỷỹỵđ"
    "åäöøæüßçñ"
)
"""Letters that get a token of their own even if the corpus lacks them (Chinese ones come from the corpus)."""


def train_tokenizer(corpus: Iterable[str], vocabulary: int = 3600) -> Tokenizer:
    """A byte-pair-encoding tokenizer with byte fallback: no text is unknown to it.

    Text is normalised (NFKC, lower case, ё as е), split at spaces and around every Chinese character, so that no token
    spans two Chinese words. Ids: 0 pad, 1 end of text (added after every text), 2 unknown (never met).

    Args:
        corpus: texts.
        vocabulary: number of tokens before the 256 bytes are added.
    """
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace("ё", "е")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always"),
            pre_tokenizers.Split(Regex(r"\p{Han}"), behavior="isolated"),
            pre_tokenizers.Digits(individual_digits=True),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=3,
        special_tokens=[PAD, END, UNKNOWN],
        initial_alphabet=[*ALPHABET, "▁"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    return _with_bytes(tokenizer)


def _with_bytes(tokenizer: Tokenizer) -> Tokenizer:
    """The same tokenizer with a token for each byte, used for characters it has none for."""
    stored = json.loads(tokenizer.to_str())
    vocabulary = stored["model"]["vocab"]
    for byte in range(256):
        vocabulary.setdefault(f"<0x{byte:02X}>", len(vocabulary))
    stored["model"]["byte_fallback"] = True
    complete = Tokenizer.from_str(json.dumps(stored))
    complete.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", pair=f"$A {END} $B {END}", special_tokens=[(END, END_ID)]
    )
    complete.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return complete


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write ``tokenizer.json`` and ``tokenizer_config.json`` as transformers' AutoTokenizer reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": CONTEXT_LENGTH,
        "pad_token": PAD,
        "eos_token": END,
        "unk_token": UNKNOWN,
        "padding_side": "right",
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
