"""Tests of the monitors of a fleet."""
