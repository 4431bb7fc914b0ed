"""Work that is asked for over HTTP and done by another process: index runs, and events that wait to be applied."""
