"""worker.py PORT: a worker with two processes, started as `celery worker` does."""
import os
import sys

os.environ['BROKER'] = f'amqp://guest:guest@127.0.0.1:{sys.argv[1]}//'
from tasks import app  # noqa: E402, it reads BROKER

app.worker_main(['worker', '--concurrency=2', '--loglevel=INFO'])
