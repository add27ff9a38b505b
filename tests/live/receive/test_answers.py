"""Answers as protobuf and as JSON say the same, and what OTLP wants of them."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from sort_drift.live.receive import answers
from sort_drift.live.receive.terms import Answer, Refused

assert BadRequest.DESCRIPTOR, RetryInfo.DESCRIPTOR  # json_format finds them once they are imported

RESPONSES: dict[Any, Any] = {
    "traces": ExportTraceServiceResponse,
    "logs": ExportLogsServiceResponse,
    "metrics": ExportMetricsServiceResponse,
}


@pytest.mark.fault(1, 2)
@pytest.mark.parametrize("signal", RESPONSES)
def test_full_success_says_nothing(signal):
    """The partial success of a request that was taken whole is not set, in either encoding."""
    response = RESPONSES[signal].FromString(answers.success(signal, "protobuf", Answer(3)))
    assert not response.HasField("partial_success")
    assert answers.success(signal, "json", Answer(3)) == b"{}"


@pytest.mark.parametrize("signal", RESPONSES)
@pytest.mark.parametrize(
    "answer", [Answer(1, 2, "why \u20ac"), Answer(2, 0, "a warning"), Answer(0, 10**10, "all")]
)
def test_partial_success_is_exact_in_both_encodings(signal, answer):
    """How many were rejected, and why: the JSON form is the one of protobuf's own reader and writer."""
    message = RESPONSES[signal].FromString(answers.success(signal, "protobuf", answer))
    text = answers.success(signal, "json", answer).decode()
    assert json_format.Parse(text, RESPONSES[signal]()) == message
    assert message.partial_success.error_message == answer.message
    assert (
        answer.rejected in [value for _, value in message.partial_success.ListFields()] or not answer.rejected
    )


@pytest.mark.parametrize(
    "refused",
    [
        Refused(400, "bad", field="resource_spans[0]"),
        Refused(400, "bad"),
        Refused(503, "busy", retry_after_s=1.5),
        Refused(503, "busy", retry_after_s=30),
        Refused(413, "large"),
        Refused(401, "who"),
        Refused(415, "\ud800 \u202e"),
    ],
)
def test_a_refusal_is_a_status_in_both_encodings(refused):
    """Code, message, and BadRequest or RetryInfo where they belong; JSON as protobuf's own writer has it."""
    status = Status.FromString(answers.failure(refused, "protobuf"))
    assert json_format.Parse(answers.failure(refused, "json").decode(), Status()) == status
    assert status.code == answers.CODES[refused.status]
    kinds = [detail.type_url.rpartition(".")[2] for detail in status.details]
    wanted = ["BadRequest"] if refused.status == 400 else []
    assert kinds == wanted + (["RetryInfo"] if refused.retry_after_s else [])


@pytest.mark.fault(25)
def test_what_is_too_large_is_not_retried():
    """RESOURCE_EXHAUSTED without RetryInfo is final for a client; so is 413."""
    refused = Refused(413, "large")
    assert answers.status(refused).code == 8
    assert not answers.status(refused).details
    assert answers.headers(refused) == {}


@pytest.mark.parametrize(("seconds", "header"), [(0.2, "1"), (1, "1"), (1.5, "2"), (30, "30")])
def test_when_to_come_again_is_said_in_whole_seconds(seconds, header):
    """Retry-After has no fractions and no zero."""
    assert answers.headers(Refused(503, "busy", retry_after_s=seconds)) == {"retry-after": header}


def test_an_answer_stays_small():
    """A path of a megabyte becomes a message of a kilobyte, in whole characters."""
    long = "\u20ac" * 500_000
    for encoding in ("protobuf", "json"):
        assert len(answers.success("traces", encoding, Answer(0, 1, long))) < 4_096
        assert len(answers.failure(Refused(400, long, field=long), encoding)) < 8_192
