-- The newest revision of every run: a row goes when a later segment measured any of its traces again.
-- Rows of a merged segment have the number of the segment that they were written in. What is compared are
-- numbers and places; whole rows (1 KB, 100 columns) only stream through: 100,000 of them kept do not fit.
WITH stored AS (
    SELECT *, file_index, file_row_number, filename
    FROM read_parquet($files, union_by_name = true, hive_partitioning = false)
    UNION ALL BY NAME
    SELECT NULL::BIGINT AS segment_number WHERE false
),
traces AS (
    SELECT
        file_index,
        file_row_number,
        coalesce(segment_number, regexp_extract(filename, '(\d{10})-[0-9a-f]{8}\.parquet$', 1)::BIGINT) << 24
        | file_index AS revision,
        unnest(trace_ids) AS trace_id
    FROM stored
),
newest AS (
    SELECT trace_id, max(revision) AS latest FROM traces GROUP BY trace_id
),
replaced AS (
    SELECT DISTINCT file_index, file_row_number FROM traces JOIN newest USING (trace_id) WHERE revision < latest
)
SELECT COLUMNS(lambda c: c <> 'segment_number')
FROM read_parquet($files, union_by_name = true, hive_partitioning = false) AS whole
ANTI JOIN replaced ON whole.file_index = replaced.file_index AND whole.file_row_number = replaced.file_row_number
