"""The weights of a named model, as safetensors and nothing else, fetched from the model hub before open_clip looks."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import EntryNotFoundError, OfflineModeIsEnabled, RepositoryNotFoundError

from indexer.embedding.choice import ModelChoice
from indexer.errors import ModelHubUnreachable, ModelNotFound, ModelWeightsMissing

_WEIGHTS_FILE = "open_clip_model.safetensors"
_TIMEOUT_S = 10.0


def safetensors_file(entry: str, choice: ModelChoice) -> Path:
    """The file of a named model's weights in the local cache, fetched if it is not there.

    Args:
        entry: where open_clip's table says that the weights are: ``owner/name/``, or ``owner/name/file``; empty for
            those that are on no hub.
        choice: names the model in messages and the cache.

    Raises:
        ModelHubUnreachable: no connection; names the two remedies.
        ModelNotFound: the hub has no such repository.
        ModelWeightsMissing: there are pickled weights alone, which can run code when they are loaded.
    """
    repository, _, file = entry.rpartition("/")
    name = f"{Path(file).stem}.safetensors" if file else _WEIGHTS_FILE
    if repository.count("/") != 1:
        raise _pickled_alone(choice)
    cache_dir = choice.cache_dir or None
    cached = try_to_load_from_cache(repository, name, cache_dir=cache_dir)
    if isinstance(cached, str):
        return Path(cached)
    try:
        get_hf_file_metadata(hf_hub_url(repository, name), timeout=_TIMEOUT_S)
        # whatever is fetched, its space is made of what the weights are: another revision is another space
        return Path(hf_hub_download(repository, name, cache_dir=cache_dir))  # see above # nosec B615
    except EntryNotFoundError as error:
        raise _pickled_alone(choice) from error
    except RepositoryNotFoundError as error:
        raise ModelNotFound(f"The model hub has no repository {repository}.", "Choose another model.") from error
    except (OfflineModeIsEnabled, OSError, RuntimeError, ValueError) as error:
        raise _unreachable(choice, error) from error
    except Exception as error:
        # the client's own connection errors share no base class across its versions (requests, httpx, httpx2)
        if type(error).__module__.split(".")[0] in {"httpx", "httpx2", "httpcore", "httpcore2", "requests"}:
            raise _unreachable(choice, error) from error
        raise


def _pickled_alone(choice: ModelChoice) -> ModelWeightsMissing:
    return ModelWeightsMissing(
        f"The weights of {choice.model} are not to be had as safetensors; pickled weights can run code and are not "
        "loaded.",
        "Choose another model or tag, or convert them once where that is safe, into a folder for model local-dir:PATH.",
    )


def _unreachable(choice: ModelChoice, error: Exception) -> ModelHubUnreachable:
    return ModelHubUnreachable(
        f"The model hub cannot be reached and the weights of {choice.model} are not in the local cache ({error}).",
        "Name a checkpoint folder with model local-dir:PATH, or take the small built-in one with model demo.",
    )
