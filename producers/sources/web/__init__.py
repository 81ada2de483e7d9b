"""Pages of web sites: one by its address, those of a sitemap or a feed, or those that a crawl meets."""
