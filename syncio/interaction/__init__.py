"""A coordinator and its workers: tasks go out, heartbeats and results come in."""

from ..streams import (
    host_ip as get_host_ip,
)
from .codes import (
    CommonErrorCode,
    MasterErrorCode,
    SlaveErrorCode,
)
from .config import (
    DEFAULT_CHANNEL,
    DEFAULT_HEARTBEAT_CHECK_SPAN,
    DEFAULT_HEARTBEAT_SPAN,
    DEFAULT_HEARTBEAT_TOLERANCE,
    DEFAULT_MASTER_PORT,
    DEFAULT_REQUEST_RETRIES,
    DEFAULT_REQUEST_RETRY_WAITING,
    DEFAULT_SLAVE_PORT,
    GLOBAL_HOST,
    LOCAL_HOST,
    MIN_HEARTBEAT_CHECK_SPAN,
    MIN_HEARTBEAT_SPAN,
    MasterConfig,
    SlaveConfig,
)
from .connection import (
    ConnectionState,
    SlaveConnection,
)
from .double_event import (
    DblEvent,
)
from .envelope import (
    ResponsibleException,
    failure_response,
    get_values_from_response,
    responsible,
    success_response,
)
from .errors import (
    HTTPError,
    MasterChannelInvalid,
    MasterChannelNotGiven,
    MasterMasterTokenInvalid,
    MasterMasterTokenNotGiven,
    MasterResponseException,
    MasterSelfTokenInvalid,
    MasterSelfTokenNotGiven,
    MasterSlaveTokenInvalid,
    MasterSlaveTokenNotGiven,
    MasterSuccess,
    MasterSystemShuttingDown,
    MasterTaskDataInvalid,
    RequestException,
    ResponseException,
    SlaveChannelInvalid,
    SlaveChannelNotFound,
    SlaveMasterTokenInvalid,
    SlaveMasterTokenNotFound,
    SlaveResponseException,
    SlaveSelfTokenInvalid,
    SlaveSelfTokenNotFound,
    SlaveSlaveAlreadyConnected,
    SlaveSlaveConnectionRefused,
    SlaveSlaveDisconnectionRefused,
    SlaveSlaveNotConnected,
    SlaveSuccess,
    SlaveSystemShuttingDown,
    SlaveTaskAlreadyExist,
    SlaveTaskRefused,
    TaskCancelled,
    TaskError,
    TaskFailed,
    TaskLost,
    TaskTimeout,
    get_master_exception_by_error,
    get_master_exception_class_by_error_code,
    get_slave_exception_by_error,
    get_slave_exception_class_by_error_code,
)
from .hooks import (
    default_func,
)
from .http_engine import (
    HttpEngine,
    get_http_engine_class,
    split_http_address,
    translate_dict_func,
)
from .master import (
    Master,
)
from .pool import (
    TaskRetry,
)
from .refusals import (
    ConnectionRefuse,
    DisconnectionRefuse,
    TaskFail,
    TaskRefuse,
)
from .service import (
    ControllableContext,
    ControllableService,
)
from .slave import (
    Slave,
    SlaveState,
)
from .task import (
    Task,
    TaskResultType,
    TaskStatus,
)
from .task_future import TaskFuture
from .tokens import (
    random_token,
)

# As others call them.
Coordinator = Master
Worker = Slave
SlaveConnectionProxy = SlaveConnection

__all__ = [
    "DEFAULT_CHANNEL",
    "DEFAULT_HEARTBEAT_CHECK_SPAN",
    "DEFAULT_HEARTBEAT_SPAN",
    "DEFAULT_HEARTBEAT_TOLERANCE",
    "DEFAULT_MASTER_PORT",
    "DEFAULT_REQUEST_RETRIES",
    "DEFAULT_REQUEST_RETRY_WAITING",
    "DEFAULT_SLAVE_PORT",
    "GLOBAL_HOST",
    "LOCAL_HOST",
    "MIN_HEARTBEAT_CHECK_SPAN",
    "MIN_HEARTBEAT_SPAN",
    "CommonErrorCode",
    "ConnectionRefuse",
    "ConnectionState",
    "ControllableContext",
    "ControllableService",
    "Coordinator",
    "DblEvent",
    "DisconnectionRefuse",
    "HTTPError",
    "HttpEngine",
    "Master",
    "MasterChannelInvalid",
    "MasterChannelNotGiven",
    "MasterConfig",
    "MasterErrorCode",
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
    "ResponsibleException",
    "Slave",
    "SlaveChannelInvalid",
    "SlaveChannelNotFound",
    "SlaveConfig",
    "SlaveConnection",
    "SlaveConnectionProxy",
    "SlaveErrorCode",
    "SlaveMasterTokenInvalid",
    "SlaveMasterTokenNotFound",
    "SlaveResponseException",
    "SlaveSelfTokenInvalid",
    "SlaveSelfTokenNotFound",
    "SlaveSlaveAlreadyConnected",
    "SlaveSlaveConnectionRefused",
    "SlaveSlaveDisconnectionRefused",
    "SlaveSlaveNotConnected",
    "SlaveState",
    "SlaveSuccess",
    "SlaveSystemShuttingDown",
    "SlaveTaskAlreadyExist",
    "SlaveTaskRefused",
    "Task",
    "TaskCancelled",
    "TaskError",
    "TaskFail",
    "TaskFailed",
    "TaskFuture",
    "TaskLost",
    "TaskRefuse",
    "TaskResultType",
    "TaskRetry",
    "TaskStatus",
    "TaskTimeout",
    "Worker",
    "default_func",
    "failure_response",
    "get_host_ip",
    "get_http_engine_class",
    "get_master_exception_by_error",
    "get_master_exception_class_by_error_code",
    "get_slave_exception_by_error",
    "get_slave_exception_class_by_error_code",
    "get_values_from_response",
    "random_token",
    "responsible",
    "split_http_address",
    "success_response",
    "translate_dict_func",
]
