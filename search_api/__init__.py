"""The search API: HTTP in and out, the search service, and the web page it serves."""
