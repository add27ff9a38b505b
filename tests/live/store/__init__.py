"""Tests of the store as the live service uses it."""
