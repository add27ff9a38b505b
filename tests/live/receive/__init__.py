"""The receiver: what OTLP asks of it, what clients do wrong, and what they may try."""
