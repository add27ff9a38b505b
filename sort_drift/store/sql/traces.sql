-- One row a trace, export and segment: where the spans of a trace are, and how many;
-- in the order of ingestion, which is that of the segments in the manifest.
SELECT trace_id, source, segment, spans
FROM (
    SELECT trace_id, source, file_index, filename AS segment, count(*) AS spans
    FROM read_parquet($files, union_by_name = true, hive_partitioning = false, filename = true)
    GROUP BY ALL
)
ORDER BY file_index, trace_id, source
