-- The columns of some Parquet files, with their physical types.
SELECT file_name, name, type FROM parquet_schema($files)
