"""Real exporters of OpenTelemetry against a real service: what they send is in its store, once, as it was."""
