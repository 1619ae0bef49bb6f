"""The identifier of an effect: a UUID version 7 (RFC 9562), so that it carries the time of its first claim.

`restartedAt`, Job names and Idempotency-Keys are made of it: repeating an operation repeats the same values.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_operation(now: datetime, entropy: UUID) -> str:
    """A UUIDv7 of `now` (millisecond precision) with the random bits of `entropy`."""
    milliseconds = (now - _EPOCH) // timedelta(milliseconds=1)
    random_bits = entropy.int & ((1 << 80) - 1)
    value = (milliseconds << 80) | random_bits
    value = (value & ~(0xF << 76)) | (7 << 76)
    value = (value & ~(0b11 << 62)) | (0b10 << 62)
    return str(UUID(int=value))


def operation_time(operation: str) -> datetime:
    """When the operation was first claimed."""
    return _EPOCH + timedelta(milliseconds=UUID(operation).int >> 80)
