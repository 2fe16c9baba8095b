"""Tests of syncio in real servers, from the other end of a socket."""
