"""What index runs did: counts, failures, finished batches; so that a run can be watched, resumed and retried."""
