"""Bytes of OTLP requests -> decoded spans, log records and load; over HTTP and over gRPC.

    http.py, grpc.py -> intake.py: bodies.py -> wire.py -> request.py -> committer -> answers.py

To the letter of OTLP 1.11.0 (https://opentelemetry.io/docs/specs/otlp/), with everything bounded: size,
spans, depth, time, connections, bytes in flight.
"""
