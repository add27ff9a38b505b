-- The newest revision of every run: a row goes when a later segment measured any of its traces again.
-- Rows of a merged segment have the number of the segment that they were written in.
WITH stored AS (
    SELECT * FROM read_parquet($files, union_by_name = true, hive_partitioning = false, filename = 'segment')
    UNION ALL BY NAME
    SELECT NULL::BIGINT AS segment_number WHERE false
),
revisions AS (
    SELECT * EXCLUDE (segment, segment_number), printf(
        '%010d %s',
        coalesce(segment_number, regexp_extract(segment, '(\d{10})-[0-9a-f]{8}\.parquet$', 1)::BIGINT),
        segment
    ) AS revision
    FROM stored
),
traces AS (
    SELECT revision, run_id, unnest(trace_ids) AS trace_id FROM revisions
),
newest AS (
    SELECT trace_id, max(revision) AS latest FROM traces GROUP BY trace_id
),
replaced AS (
    SELECT DISTINCT revision, run_id FROM traces JOIN newest USING (trace_id) WHERE revision < latest
)
SELECT * EXCLUDE (revision)
FROM revisions ANTI JOIN replaced USING (revision, run_id)
ORDER BY start_ns NULLS LAST, run_id
