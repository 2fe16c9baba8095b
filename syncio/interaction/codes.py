"""The numbers in an envelope that say what was wrong: the original's, in all their values."""

from __future__ import annotations

from enum import IntEnum, unique

__all__ = ["CommonErrorCode", "MasterErrorCode", "SlaveErrorCode"]


@unique
class CommonErrorCode(IntEnum):
    """What any end may say."""

    SUCCESS = 0
    COMMON_FAILURE = 1


@unique
class MasterErrorCode(IntEnum):
    """What a master says."""

    SUCCESS = 0

    SYSTEM_SHUTTING_DOWN = 101

    CHANNEL_NOT_GIVEN = 201
    CHANNEL_INVALID = 202

    MASTER_TOKEN_NOT_GIVEN = 301
    MASTER_TOKEN_INVALID = 302

    SELF_TOKEN_NOT_GIVEN = 401
    SELF_TOKEN_INVALID = 402

    SLAVE_TOKEN_NOT_GIVEN = 501
    SLAVE_TOKEN_INVALID = 502

    TASK_DATA_INVALID = 601


@unique
class SlaveErrorCode(IntEnum):
    """What a slave says."""

    SUCCESS = 0

    SYSTEM_SHUTTING_DOWN = 101

    CHANNEL_NOT_FOUND = 201
    CHANNEL_INVALID = 202

    MASTER_TOKEN_NOT_FOUND = 301
    MASTER_TOKEN_INVALID = 302

    SELF_TOKEN_NOT_FOUND = 401
    SELF_TOKEN_INVALID = 402

    SLAVE_ALREADY_CONNECTED = 501
    SLAVE_NOT_CONNECTED = 502
    SLAVE_CONNECTION_REFUSED = 503
    SLAVE_DISCONNECTION_REFUSED = 504

    TASK_ALREADY_EXIST = 601
    TASK_REFUSED = 602
