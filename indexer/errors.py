"""Every error the core raises on purpose, as one tree.

::

    VitrineError
    ├── ConfigurationError            a setting, profile or flag that cannot be used
    ├── FeedError                     a catalog feed as a whole
    │   ├── FeedNotFound
    │   ├── FeedFormatUnknown
    │   ├── FeedUnreadable
    │   ├── FeedTooLarge
    │   └── FeedUnsafe
    ├── ImageError                    one picture
    │   ├── ImageNotFound
    │   ├── ImageRefForbidden
    │   ├── ImageFetchFailed          (retryable)
    │   ├── ImageEmpty
    │   ├── ImageTooLarge
    │   ├── ImageTooManyPixels
    │   ├── ImageNotAnImage
    │   ├── ImageDamaged
    │   ├── ImageTooManyFrames
    │   ├── ImageMemory
    │   ├── ImageTimeout
    │   └── ImageCrashedDecoder
    ├── DecoderUnavailable            (retryable) no process to decode pictures in
    ├── EmbedderError                 the model
    │   ├── ModelNotFound
    │   ├── ModelHubUnreachable       (retryable)
    │   ├── ModelLoading              (retryable)
    │   ├── ModelWeightsMissing
    │   ├── ModelMismatch
    │   ├── PrecisionRefused
    │   ├── ModelFailed
    │   └── PatchesUnavailable
    ├── StoreError                    the vector store
    │   ├── CollectionNotFound
    │   ├── SpaceMismatch
    │   ├── StoreLocked               (retryable)
    │   ├── StoreUnavailable          (retryable)
    │   ├── StoreRefused
    │   ├── StoreDamaged
    │   └── CollectionOutdated
    ├── BackupError                   a copy of an installation
    │   ├── BackupUnreadable
    │   └── BackupDamaged
    ├── LedgerError                   the run ledger
    │   ├── RunNotFound
    │   ├── PromotionImpossible
    │   └── LedgerUnavailable         (retryable)
    ├── QueueError                    what goes to workers, and comes of it
    │   ├── QueueUnavailable          (retryable)
    │   ├── MessageInvalid
    │   ├── WorkerLost
    │   └── WorkerFailed
    ├── EventError                    changes of single products
    │   └── EventsUnavailable         (retryable)
    ├── AccessError                   who may do what
    │   ├── KeyRequired
    │   ├── AdminKeyRequired
    │   ├── ScopeMissing
    │   ├── AdminDisabled
    │   ├── TenantRequired
    │   ├── InstallationOnly
    │   ├── KeyNotFound
    │   ├── KeysUnavailable           (retryable)
    │   └── AuditUnavailable          (retryable)
    ├── QueryError                    what a searcher asked
    │   ├── QueryTextEmpty
    │   ├── QueryTextTooLong
    │   ├── BoxInvalid
    │   ├── FilterInvalid
    │   ├── FilterFieldUnknown
    │   ├── CursorInvalid
    │   ├── QueryNotPossible
    │   ├── ProductNotFound
    │   └── ProductImageNotFound
    ├── RequestError                  a request as HTTP and JSON, whatever it asks for
    │   ├── RequestMalformed
    │   ├── RequestLineTooLong
    │   ├── RequestHeadTooLarge
    │   ├── RequestSlow               (retryable)
    │   ├── JsonTooLarge
    │   └── JsonTooDeep
    ├── LimitError                    what one client may ask for
    │   ├── RateLimited               (retryable)
    │   └── TooManyAtOnce             (retryable)
    └── Overloaded                    (retryable) more work than the bounded queues take

``code`` is stable: it is written to failure lists, ledgers and HTTP problem documents, and programs may compare it.
``retryable`` says whether the same call can succeed later with nothing changed by the caller; retry policy reads it
and nothing else. A message names the thing and, as ``remedy``, what to do about it.
"""

from __future__ import annotations

from typing import ClassVar


class VitrineError(Exception):
    """Base of the tree; never raised itself.

    Args:
        reason: what is wrong, naming the thing (file, field, setting, product).
        remedy: what the reader can do about it; empty where there is nothing to do.
    """

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False
    retry_after_s: float | None = None
    """When the same call is worth a try, where that is known."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason, remedy)
        self.reason = reason
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.reason} {self.remedy}" if self.remedy else self.reason


class ConfigurationError(VitrineError):
    """A setting, profile or command-line flag that cannot be used."""

    code = "configuration_invalid"


class FeedError(VitrineError):
    """A catalog feed that cannot be read at all; a bad row is a ``RowError`` value instead."""

    code = "feed_error"


class FeedNotFound(FeedError):
    """The feed path names no file."""

    code = "feed_not_found"


class FeedFormatUnknown(FeedError):
    """The content is none of the formats that are read."""

    code = "feed_format_unknown"


class FeedUnreadable(FeedError):
    """The file breaks off, is damaged, or lacks what every row needs."""

    code = "feed_unreadable"


class FeedTooLarge(FeedError):
    """An uploaded feed with more bytes than the limit."""

    code = "feed_too_large"


class FeedUnsafe(FeedError):
    """The file holds something that is refused: XML entities, an external DTD, a decompression bomb."""

    code = "feed_unsafe"


class ImageError(VitrineError):
    """One picture that cannot be used."""

    code = "image_error"


class ImageNotFound(ImageError):
    """The image reference names no file."""

    code = "image_not_found"


class ImageRefForbidden(ImageError):
    """The image reference points outside the feed's folder or to an address that is not allowed."""

    code = "image_ref_forbidden"


class ImageFetchFailed(ImageError):
    """The bytes could not be had now: host away, timeout, HTTP 429 or 5xx, input/output error."""

    code = "image_fetch_failed"
    retryable = True


class ImageEmpty(ImageError):
    """Zero bytes."""

    code = "image_empty"


class ImageTooLarge(ImageError):
    """More bytes than the limit."""

    code = "image_too_large"


class ImageTooManyPixels(ImageError):
    """More pixels than the limit, as its header declares them."""

    code = "image_too_many_pixels"


class ImageNotAnImage(ImageError):
    """The bytes are in none of the formats that are read."""

    code = "image_not_an_image"


class ImageDamaged(ImageError):
    """An image format, but truncated or corrupt."""

    code = "image_damaged"


class ImageTooManyFrames(ImageError):
    """An animation or document with more frames or pages than the limit."""

    code = "image_too_many_frames"


class ImageMemory(ImageError):
    """Decoding asks for more memory than the limit."""

    code = "image_memory"


class ImageTimeout(ImageError):
    """Decoding took longer than the limit."""

    code = "image_timeout"


class ImageCrashedDecoder(ImageError):
    """The picture ended the process that decoded it, by a fault in a codec; nothing else was harmed."""

    code = "image_crashed_decoder"


class DecoderUnavailable(VitrineError):
    """No process that decodes pictures can be started now; the picture itself is not to blame."""

    code = "decoder_unavailable"
    retryable = True


class EmbedderError(VitrineError):
    """The model cannot be loaded or does not answer."""

    code = "embedder_error"


class ModelNotFound(EmbedderError):
    """No such model name, tag or checkpoint folder."""

    code = "model_not_found"


class ModelHubUnreachable(EmbedderError):
    """The model hub cannot be reached and the weights are not in the local cache."""

    code = "model_hub_unreachable"
    retryable = True


class ModelLoading(EmbedderError):
    """The process has started and its model is not loaded yet."""

    code = "model_loading"
    retryable = True


class ModelWeightsMissing(EmbedderError):
    """A model without its trained weights; random numbers are never served."""

    code = "model_weights_missing"


class ModelMismatch(EmbedderError):
    """Weights, preprocessing and tokenizer do not belong together."""

    code = "model_mismatch"


class PrecisionRefused(EmbedderError):
    """A number format whose vectors differ too much from float32, or that was not prepared yet."""

    code = "precision_refused"


class ModelFailed(EmbedderError):
    """The model raised an error or gave numbers that are not finite."""

    code = "model_failed"


class PatchesUnavailable(EmbedderError):
    """The model's image tower gives no vectors of patches, so it cannot show where things are in a picture."""

    code = "patches_unavailable"


class StoreError(VitrineError):
    """The vector store."""

    code = "store_error"


class CollectionNotFound(StoreError):
    """Nothing has been indexed under that name yet."""

    code = "collection_not_found"


class SpaceMismatch(StoreError):
    """The collection belongs to another embedding space than the model."""

    code = "space_mismatch"


class StoreLocked(StoreError):
    """Another process is writing; its message says which."""

    code = "store_locked"
    retryable = True


class StoreUnavailable(StoreError):
    """The store cannot be reached or cannot write now."""

    code = "store_unavailable"
    retryable = True


class StoreRefused(StoreError):
    """The store's server does not accept the call: a wrong key, a missing right, an impossible request."""

    code = "store_refused"


class StoreDamaged(StoreError):
    """Files of the store are missing or unreadable."""

    code = "store_damaged"


class CollectionOutdated(StoreError):
    """Points of an earlier version lack the fields that are asked for; the next index run adds them."""

    code = "collection_outdated"


class BackupError(VitrineError):
    """A copy of an installation."""

    code = "backup_error"


class BackupUnreadable(BackupError):
    """The folder is no backup of this program, or one of a newer version."""

    code = "backup_unreadable"


class BackupDamaged(BackupError):
    """Files of the backup are missing, or are not as they were written."""

    code = "backup_damaged"


class LedgerError(VitrineError):
    """The run ledger."""

    code = "ledger_error"


class RunNotFound(LedgerError):
    """No run of that id."""

    code = "run_not_found"


class PromotionImpossible(LedgerError):
    """There is nothing to promote or to roll back to, or it would lose what came since."""

    code = "promotion_impossible"


class LedgerUnavailable(LedgerError):
    """The ledger cannot be reached or written now."""

    code = "ledger_unavailable"
    retryable = True


class QueueError(VitrineError):
    """What goes to workers, and what comes of it."""

    code = "queue_error"


class QueueUnavailable(QueueError):
    """Messages to workers cannot be sent now."""

    code = "queue_unavailable"
    retryable = True


class MessageInvalid(QueueError):
    """A message that a worker cannot read."""

    code = "message_invalid"


class WorkerLost(QueueError):
    """Worker processes died again and again while they had this product in hand."""

    code = "worker_lost"


class WorkerFailed(QueueError):
    """A fault of this program stopped a worker's task; its log has it."""

    code = "worker_failed"


class EventError(VitrineError):
    """Changes of single products."""

    code = "event_error"


class EventsUnavailable(EventError):
    """The event log or the queue of index runs cannot be reached or written now."""

    code = "events_unavailable"
    retryable = True


class AccessError(VitrineError):
    """Who may do what."""

    code = "access_error"


class KeyRequired(AccessError):
    """The request has no key that is accepted; why not is not told."""

    code = "key_required"


class AdminKeyRequired(AccessError):
    """The request has no admin key, or a wrong one."""

    code = "admin_key_required"


class ScopeMissing(AccessError):
    """The key is accepted, but not for this."""

    code = "scope_missing"


class AdminDisabled(AccessError):
    """No admin key is configured, so nobody may change the catalog over HTTP."""

    code = "admin_disabled"


class TenantRequired(AccessError):
    """The installation has tenants, and the key is bound to none."""

    code = "tenant_required"


class InstallationOnly(AccessError):
    """This is of all tenants together, and the key is bound to one."""

    code = "installation_only"


class KeyNotFound(AccessError):
    """No key of that id."""

    code = "key_not_found"


class KeysUnavailable(AccessError):
    """The file of the keys cannot be read or written now, so no key can be judged."""

    code = "keys_unavailable"
    retryable = True


class AuditUnavailable(AccessError):
    """The audit log cannot be written now, so nothing that belongs into it is done."""

    code = "audit_unavailable"
    retryable = True


class QueryError(VitrineError):
    """What a searcher asked."""

    code = "query_error"


class QueryTextEmpty(QueryError):
    """A text query in which nothing is left to search for."""

    code = "query_text_empty"


class QueryTextTooLong(QueryError):
    """A text query longer than the limit in characters."""

    code = "query_text_too_long"


class BoxInvalid(QueryError):
    """A box that is empty, lies outside the photo, or is too small to show anything."""

    code = "box_invalid"


class FilterInvalid(QueryError):
    """A filter whose values, bounds or nesting cannot be."""

    code = "filter_invalid"


class FilterFieldUnknown(QueryError):
    """A filter or facet names a field that products do not have."""

    code = "filter_field_unknown"


class CursorInvalid(QueryError):
    """A cursor that was changed, or that belongs to another query or catalog."""

    code = "cursor_invalid"


class QueryNotPossible(QueryError):
    """A well formed query that cannot be answered: its parts do not go together, or the catalog lacks something."""

    code = "query_not_possible"


class ProductNotFound(QueryError):
    """No product of that id is indexed."""

    code = "product_not_found"


class ProductImageNotFound(QueryError):
    """The product has no indexed image at that position, or its file is gone."""

    code = "product_image_not_found"


class RequestError(VitrineError):
    """A request that is not taken for what it is as HTTP or JSON."""

    code = "request_error"


class RequestMalformed(RequestError):
    """No HTTP, or HTTP that could be understood in two ways."""

    code = "request_malformed"


class RequestLineTooLong(RequestError):
    """An address with more bytes than the limit."""

    code = "request_line_too_long"


class RequestHeadTooLarge(RequestError):
    """Request line and headers with more bytes, or more headers, than the limit."""

    code = "request_head_too_large"


class RequestSlow(RequestError):
    """Headers or body did not come within the time for them."""

    code = "request_slow"
    retryable = True


class JsonTooLarge(RequestError):
    """JSON with more bytes than the limit."""

    code = "json_too_large"


class JsonTooDeep(RequestError):
    """JSON nested deeper than the limit."""

    code = "json_too_deep"


class LimitError(VitrineError):
    """More than one client may ask for; try again after ``retry_after_s``."""

    code = "limit_error"

    def __init__(self, reason: str, remedy: str = "", retry_after_s: float = 1.0) -> None:
        super().__init__(reason, remedy)
        self.retry_after_s = retry_after_s


class RateLimited(LimitError):
    """More requests in a time than one address or key may make."""

    code = "rate_limited"
    retryable = True


class TooManyAtOnce(LimitError):
    """More requests under way at once than one address or key may have."""

    code = "too_many_at_once"
    retryable = True


class Overloaded(VitrineError):
    """More work than the bounded queues take; try again after ``retry_after_s``."""

    code = "overloaded"
    retryable = True
    retry_after_s: float

    def __init__(self, reason: str, retry_after_s: float = 1.0) -> None:
        super().__init__(reason, f"Try again in {retry_after_s:g} s.")
        self.retry_after_s = retry_after_s


def error_leaves(root: type[VitrineError] = VitrineError) -> list[type[VitrineError]]:
    """Every class of the tree that is raised itself, in the order of the drawing above."""
    children = root.__subclasses__()
    if not children:
        return [root]
    return [leaf for child in children for leaf in error_leaves(child)]
