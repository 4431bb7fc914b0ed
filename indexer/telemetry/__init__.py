"""What is going on, made visible: figures for Prometheus, traces, and log lines that programs can read."""
