"""The service beside a fleet: receives OpenTelemetry traces, keeps them, watches every agent, alerts.

service.py   what runs, and how it starts and stops                                             READ FIRST
settings.py  what it was told; config.py the table and options that say so
receive/     bytes of a request -> decoded spans: OTLP/HTTP and gRPC, admission, tokens, hosts
keep/        decoded spans -> journal -> answer; journal -> segments; runs that are over -> run tables
watch/       run tables -> monitors, one an agent -> alarms
board.py     what there is to show: one writer, many readers
page/        pages and server-sent events; outbound/ metrics for Prometheus, webhooks, the file of events
selftest.py  a prober that writes a run and reads it back
"""
