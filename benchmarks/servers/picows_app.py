"""A ceiling for Python: picows, in Cython, on uvloop. It knows of Engine.IO no more than the open packet.

python picows_app.py PORT
"""

import sys
from typing import Any

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

OPEN = b'0{"sid":"00000000000000000000","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'


class Echo(WSListener):  # type: ignore[misc]
    """One client."""

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Open the session."""
        transport.send(WSMsgType.TEXT, OPEN)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Echo a message, answer a close frame."""
        if frame.msg_type in (WSMsgType.TEXT, WSMsgType.BINARY):
            transport.send(frame.msg_type, frame.get_payload_as_memoryview())
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()


async def main(port: int) -> None:
    """Serve for ever."""

    def listen(request: Any) -> Echo:
        return Echo()

    server = await ws_create_server(listen, "127.0.0.1", port)
    await server.serve_forever()


uvloop.run(main(int(sys.argv[1])))
