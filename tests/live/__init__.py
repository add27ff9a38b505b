"""Tests of the live service, room by room."""
