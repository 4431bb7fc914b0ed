"""Whether the model hub can give what a named model needs, asked before open_clip tries for a minute."""

from __future__ import annotations

from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import EntryNotFoundError, OfflineModeIsEnabled, RepositoryNotFoundError

from indexer.embedding.choice import ModelChoice
from indexer.errors import ModelHubUnreachable, ModelNotFound

_WEIGHTS_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_TIMEOUT_S = 10.0


def check_hub_has(repository: str, choice: ModelChoice) -> None:
    """Returns if the weights are in the local cache or the hub answers.

    Args:
        repository: ``owner/name/`` as open_clip's table gives it; empty for weights that lie elsewhere.
        choice: names the model in messages and the cache.

    Raises:
        ModelHubUnreachable: no connection; names the two remedies.
        ModelNotFound: the hub has no such repository.
    """
    name = repository.strip("/")
    if name.count("/") != 1:
        return
    cache_dir = choice.cache_dir or None
    if any(isinstance(try_to_load_from_cache(name, file, cache_dir=cache_dir), str) for file in _WEIGHTS_FILES):
        return
    try:
        get_hf_file_metadata(hf_hub_url(name, _WEIGHTS_FILES[0]), timeout=_TIMEOUT_S)
    except EntryNotFoundError:
        return  # the repository answers; open_clip knows its other file names
    except RepositoryNotFoundError as error:
        raise ModelNotFound(f"The model hub has no repository {name}.", "Choose another model.") from error
    except (OfflineModeIsEnabled, OSError, RuntimeError, ValueError) as error:
        raise _unreachable(choice, error) from error
    except Exception as error:
        # the client's own connection errors share no base class across its versions (requests, httpx, httpx2)
        if type(error).__module__.split(".")[0] in {"httpx", "httpx2", "httpcore", "httpcore2", "requests"}:
            raise _unreachable(choice, error) from error
        raise


def _unreachable(choice: ModelChoice, error: Exception) -> ModelHubUnreachable:
    return ModelHubUnreachable(
        f"The model hub cannot be reached and the weights of {choice.model} are not in the local cache ({error}).",
        "Name a checkpoint folder with model local-dir:PATH, or take the small built-in one with model demo.",
    )
