-- What one segment is: rows, rows with a start, times. All of it is read, so that damage shows.
SELECT
    count(*) AS rows,
    count(start_ns) AS timed,
    least(min(start_ns), min(end_ns)) AS min_ns,
    greatest(max(start_ns), max(end_ns)) AS max_ns,
    max(hash(stored)) AS content
FROM (
    SELECT * FROM read_parquet($files, hive_partitioning = false)
    UNION ALL BY NAME
    SELECT NULL::BIGINT AS start_ns, NULL::BIGINT AS end_ns WHERE false
) AS stored
