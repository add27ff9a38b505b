-- The copies, in some segments, of spans that others have: where, and with which end.
SELECT old.trace_id, old.span_id, old.log, old.end_ns, old.file_index
FROM read_parquet($files, union_by_name = true, hive_partitioning = false) AS old
SEMI JOIN read_parquet($added, union_by_name = true, hive_partitioning = false) AS new
ON old.trace_id = new.trace_id AND old.span_id = new.span_id AND old.log IS NOT DISTINCT FROM new.log
