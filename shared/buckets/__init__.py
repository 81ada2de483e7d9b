"""Objects of buckets on S3, or on anything that speaks its protocol: the client, their names, and reading them."""
