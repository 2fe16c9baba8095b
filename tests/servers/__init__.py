"""Real WSGI servers in processes of their own, and small clients that speak to them over sockets."""
