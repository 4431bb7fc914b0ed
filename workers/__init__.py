"""Celery workers over Redis: messages, tasks, dispatch. A task is a message handed to the core."""
