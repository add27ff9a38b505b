// Runs agents and exports their spans: node send.mjs http|proto|grpc none|gzip URL RUNS
// Prints one JSON line a span: what it was. The test looks for just that in the store.
import { SpanKind, SpanStatusCode, context, trace } from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";

const [form, compression, url, runs] = process.argv.slice(2);
const { OTLPTraceExporter } = await import(`@opentelemetry/exporter-trace-otlp-${form}`);
const exporter = new OTLPTraceExporter({ url, compression });

const sent = [];
const exported = exporter.export.bind(exporter);
exporter.export = (spans, done) => exported(spans, (result) => {
  if (result.code !== 0) {
    console.error(`not exported: ${result.error}`);
    process.exitCode = 1;
  }
  done(result);
});
const ledger = {
  onStart() {},
  onEnd(span) {
    sent.push({
      trace_id: span.spanContext().traceId,
      span_id: span.spanContext().spanId,
      parent_id: span.parentSpanContext?.spanId ?? null,
      name: span.name,
      start: span.startTime,
      end: span.endTime,
      attributes: span.attributes,
      links: span.links.map((link) => `${link.context.traceId}:${link.context.spanId}`),
      events: span.events.map((event) => event.name),
    });
  },
  forceFlush: async () => {},
  shutdown: async () => {},
};

const provider = new BasicTracerProvider({
  resource: resourceFromAttributes({ "service.name": `js-${form}-${compression}`, "app.zone": "Zürich 工" }),
  spanProcessors: [new BatchSpanProcessor(exporter, { maxExportBatchSize: 7 }), ledger],
});
const tracer = provider.getTracer("interop-js", "1.2.3");

const values = {
  "app.beyond": 2 ** 60, // an integer that a double holds exactly
  "app.below": -(2 ** 62),
  "app.limit": Number.MAX_SAFE_INTEGER,
  "app.double": 0.1,
  "app.tiny": 5e-324,
  "app.flag": true,
  "app.words": ["a", "", "工具 🛠 é"],
  "app.numbers": [1, -2, 2 ** 54],
  "app.halves": [0.5, 1.5],
  "app.nothing": [],
  "app.said": "tab\there, \"quotes\", \\ and 工具 🛠 é",
};

const elsewhere = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: 1, isRemote: true };
for (let run = 0; run < Number(runs); run += 1) {
  const task = { "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner 工", "sort_drift.task.id": `t${run % 3}` };
  const root = tracer.startSpan("invoke_agent planner", { attributes: task, links: [{ context: elsewhere }] });
  const inside = trace.setSpan(context.active(), root);
  const chat = { "gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 1000 + run, "gen_ai.usage.output_tokens": 7 };
  tracer.startSpan("chat m", { kind: SpanKind.CLIENT, attributes: { ...chat, ...values } }, inside).end();
  const call = { "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search", "gen_ai.tool.call.arguments": `{"q": "工 ${run}"}` };
  const tool = tracer.startSpan("execute_tool search", { attributes: call }, inside);
  if (run % 2) {
    tool.recordException(new TypeError("no such page"));
    tool.setStatus({ code: SpanStatusCode.ERROR, message: "no such page" });
  }
  tool.end();
  root.end();
}
await provider.forceFlush();
await provider.shutdown();
for (const span of sent) {
  console.log(JSON.stringify(span));
}
