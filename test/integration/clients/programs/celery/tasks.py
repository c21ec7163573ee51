"""The application that the worker and its clients share; BROKER is the URL of its broker, results come back by RPC."""
import os
from celery import Celery

app = Celery('tasks', broker=os.environ['BROKER'], backend='rpc://')
app.conf.update(broker_connection_retry=False, broker_connection_timeout=60, worker_send_task_events=True)


@app.task
def square(n):
    return n * n


@app.task
def fail():
    raise ValueError('on purpose')


@app.task(bind=True, acks_late=True, max_retries=2)
def third_time(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return self.request.retries
