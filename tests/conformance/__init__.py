"""The 25 cases of the official Engine.IO v4 protocol suite, in our own words, over every server that speaks WebSocket.

The number in a test's name is the case's place in the suite: 1-7 handshake, 8-16 message, 17-20 heartbeat, 21-22 close,
23-25 upgrade. Each runs with the suite's own heartbeat (0.3 s and 0.2 s), and all that do not wait for a heartbeat run
also with 25 s and 20 s, so that none can pass only because a ping timed out.
"""
