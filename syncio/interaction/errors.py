"""What can go wrong between master and slave: requests that fail, answers that say no, tasks that do not end well."""

from __future__ import annotations

from typing import Any, ClassVar

from ..errors import RemoteError, SyncioError
from ..runtime import CancelledError
from .codes import MasterErrorCode, SlaveErrorCode
from .envelope import get_values_from_response

__all__ = [
    "HTTPError",
    "MasterChannelInvalid",
    "MasterChannelNotGiven",
    "MasterMasterTokenInvalid",
    "MasterMasterTokenNotGiven",
    "MasterResponseException",
    "MasterSelfTokenInvalid",
    "MasterSelfTokenNotGiven",
    "MasterSlaveTokenInvalid",
    "MasterSlaveTokenNotGiven",
    "MasterSuccess",
    "MasterSystemShuttingDown",
    "MasterTaskDataInvalid",
    "RequestException",
    "ResponseException",
    "SlaveChannelInvalid",
    "SlaveChannelNotFound",
    "SlaveMasterTokenInvalid",
    "SlaveMasterTokenNotFound",
    "SlaveResponseException",
    "SlaveSelfTokenInvalid",
    "SlaveSelfTokenNotFound",
    "SlaveSlaveAlreadyConnected",
    "SlaveSlaveConnectionRefused",
    "SlaveSlaveDisconnectionRefused",
    "SlaveSlaveNotConnected",
    "SlaveSuccess",
    "SlaveSystemShuttingDown",
    "SlaveTaskAlreadyExist",
    "SlaveTaskRefused",
    "TaskCancelled",
    "TaskError",
    "TaskFailed",
    "TaskLost",
    "TaskTimeout",
    "get_master_exception_by_error",
    "get_master_exception_class_by_error_code",
    "get_slave_exception_by_error",
    "get_slave_exception_class_by_error_code",
]


class RequestException(RemoteError):
    """A request had no answer: nobody listens, the connection broke, or it took too long."""


class HTTPError(RequestException):
    """A request was answered with a status of 400 or more.

    :param response: the answer, with `status_code` and `content`.
    """

    def __init__(self, response: Any) -> None:
        super().__init__(response)
        self.response = response

    def __str__(self) -> str:
        words = f"the answer has the status {self.response.status_code}"
        try:
            return f"{words}: {get_values_from_response(self.response)[3]}"
        except ValueError:
            return words


class ResponseException(RemoteError):
    """The other end said no.

    :param error: has the answer as its `response`.
    :raises ValueError: if that has no envelope.
    """

    def __init__(self, error: Any) -> None:
        self.error = error
        self.status_code, self.success, self.code, self.message, self.data = get_values_from_response(error.response)
        super().__init__(self.message)


class MasterResponseException(ResponseException):
    """A master said no."""

    error_code: ClassVar[MasterErrorCode]


class MasterSuccess(MasterResponseException):
    """It said yes, with the wrong status."""

    error_code = MasterErrorCode.SUCCESS


class MasterSystemShuttingDown(MasterResponseException):
    """It is about to end."""

    error_code = MasterErrorCode.SYSTEM_SHUTTING_DOWN


class MasterChannelNotGiven(MasterResponseException):
    """The request named no channel."""

    error_code = MasterErrorCode.CHANNEL_NOT_GIVEN


class MasterChannelInvalid(MasterResponseException):
    """It is on another channel."""

    error_code = MasterErrorCode.CHANNEL_INVALID


class MasterMasterTokenNotGiven(MasterResponseException):
    """The request had no token of a master."""

    error_code = MasterErrorCode.MASTER_TOKEN_NOT_GIVEN


class MasterMasterTokenInvalid(MasterResponseException):
    """The request had the token of another master."""

    error_code = MasterErrorCode.MASTER_TOKEN_INVALID


class MasterSelfTokenNotGiven(MasterResponseException):
    """The request is the master's own to make, and had no token."""

    error_code = MasterErrorCode.SELF_TOKEN_NOT_GIVEN


class MasterSelfTokenInvalid(MasterResponseException):
    """The request is the master's own to make, and had another token."""

    error_code = MasterErrorCode.SELF_TOKEN_INVALID


class MasterSlaveTokenNotGiven(MasterResponseException):
    """The request had no token of a slave."""

    error_code = MasterErrorCode.SLAVE_TOKEN_NOT_GIVEN


class MasterSlaveTokenInvalid(MasterResponseException):
    """It does not have this slave, or not any more."""

    error_code = MasterErrorCode.SLAVE_TOKEN_INVALID


class MasterTaskDataInvalid(MasterResponseException):
    """What the request says of a task cannot be."""

    error_code = MasterErrorCode.TASK_DATA_INVALID


class SlaveResponseException(ResponseException):
    """A slave said no."""

    error_code: ClassVar[SlaveErrorCode]


class SlaveSuccess(SlaveResponseException):
    """It said yes, with the wrong status."""

    error_code = SlaveErrorCode.SUCCESS


class SlaveSystemShuttingDown(SlaveResponseException):
    """It is about to end."""

    error_code = SlaveErrorCode.SYSTEM_SHUTTING_DOWN


class SlaveChannelNotFound(SlaveResponseException):
    """The request named no channel."""

    error_code = SlaveErrorCode.CHANNEL_NOT_FOUND


class SlaveChannelInvalid(SlaveResponseException):
    """It is on another channel."""

    error_code = SlaveErrorCode.CHANNEL_INVALID


class SlaveMasterTokenNotFound(SlaveResponseException):
    """The request had no token of a master."""

    error_code = SlaveErrorCode.MASTER_TOKEN_NOT_FOUND


class SlaveMasterTokenInvalid(SlaveResponseException):
    """It has another master, or wants a secret that this one does not know."""

    error_code = SlaveErrorCode.MASTER_TOKEN_INVALID


class SlaveSelfTokenNotFound(SlaveResponseException):
    """The request is the slave's own to make, and had no token."""

    error_code = SlaveErrorCode.SELF_TOKEN_NOT_FOUND


class SlaveSelfTokenInvalid(SlaveResponseException):
    """The request is the slave's own to make, and had another token."""

    error_code = SlaveErrorCode.SELF_TOKEN_INVALID


class SlaveSlaveAlreadyConnected(SlaveResponseException):
    """It has a master."""

    error_code = SlaveErrorCode.SLAVE_ALREADY_CONNECTED


class SlaveSlaveNotConnected(SlaveResponseException):
    """It has no master."""

    error_code = SlaveErrorCode.SLAVE_NOT_CONNECTED


class SlaveSlaveConnectionRefused(SlaveResponseException):
    """It does not want this master."""

    error_code = SlaveErrorCode.SLAVE_CONNECTION_REFUSED


class SlaveSlaveDisconnectionRefused(SlaveResponseException):
    """It does not want to be left."""

    error_code = SlaveErrorCode.SLAVE_DISCONNECTION_REFUSED


class SlaveTaskAlreadyExist(SlaveResponseException):
    """It has as many tasks as it can have."""

    error_code = SlaveErrorCode.TASK_ALREADY_EXIST


class SlaveTaskRefused(SlaveResponseException):
    """It does not want this task."""

    error_code = SlaveErrorCode.TASK_REFUSED


_MASTER = {kind.error_code: kind for kind in MasterResponseException.__subclasses__()}
_SLAVE = {kind.error_code: kind for kind in SlaveResponseException.__subclasses__()}


def get_master_exception_class_by_error_code(error_code: MasterErrorCode) -> type[MasterResponseException]:
    """The class for what a master says."""
    return _MASTER[error_code]


def get_slave_exception_class_by_error_code(error_code: SlaveErrorCode) -> type[SlaveResponseException]:
    """The class for what a slave says."""
    return _SLAVE[error_code]


def get_master_exception_by_error(error: Any) -> MasterResponseException:
    """What a master's answer means.

    :param error: has the answer as its `response`.
    :raises ValueError: if that has no envelope, or a code that no master has.
    """
    return _MASTER[MasterErrorCode(get_values_from_response(error.response)[2])](error)


def get_slave_exception_by_error(error: Any) -> SlaveResponseException:
    """What a slave's answer means.

    :param error: has the answer as its `response`.
    :raises ValueError: if that has no envelope, or a code that no slave has.
    """
    return _SLAVE[SlaveErrorCode(get_values_from_response(error.response)[2])](error)


class TaskError(SyncioError):
    """A task came to no good end."""


class TaskFailed(TaskError):
    """The slave says that it has failed.

    :param result: what it says of it. Of an error that was not meant it has the type and the message in 'error'.
    """

    def __init__(self, result: Any) -> None:
        super().__init__(result)
        self.result = result

    def __str__(self) -> str:
        error = self.result.get("error") if isinstance(self.result, dict) else None
        if isinstance(error, dict) and "type" in error:
            return f"the task failed with {error['type']}: {error.get('message', '')}"
        return f"the task failed: {self.result!r}"


class TaskLost(TaskError):
    """Nobody will say any more how it ended: its slave has died, or was disconnected."""


class TaskTimeout(TaskError, TimeoutError):
    """It took longer than it was allowed to."""


class TaskCancelled(TaskError, CancelledError):
    """It was cancelled."""
