"""What the Autobahn suite asks of a WebSocket server (sections 1-7, 9, 10, 12 and 13), in our own words.

Its numbers are kept, so that a report of the original can be compared; section 8 is empty there too.
"""
