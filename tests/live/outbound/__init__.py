"""Tests of what leaves the service: metrics, webhooks, events, alert rules."""
