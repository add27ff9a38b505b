-- How many runs were written at a time, and when the last of them ended, newest first. Rows of a merged segment have
-- the number of the segment that they were written in (runs.sql).
WITH stored AS (
    SELECT *, filename FROM read_parquet($files, union_by_name = true, hive_partitioning = false)
    UNION ALL BY NAME
    SELECT NULL::BIGINT AS segment_number WHERE false
)
SELECT
    coalesce(segment_number, regexp_extract(filename, '(\d{10})-[0-9a-f]{8}\.parquet$', 1)::BIGINT) AS number,
    count(*) AS rows,
    max(end_ns) AS last_ns
FROM stored
GROUP BY 1
ORDER BY 1 DESC
