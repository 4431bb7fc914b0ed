"""From products to points: one batch, the overlapped pipeline, and the run that ties them to store and ledger."""
