-- Which runs some traces are part of: every revision of them, oldest first. A run with several of the traces
-- comes several times. (list_has_any takes a hundred times as long with a thousand traces.)
SELECT run_id, trace_ids, start_ns, end_ns
FROM (
    SELECT *, file_index, file_row_number, unnest(trace_ids) AS trace_id
    FROM read_parquet($files, union_by_name = true, hive_partitioning = false)
)
WHERE trace_id IN (SELECT unnest($traces))
ORDER BY file_index, file_row_number
