"""What every program here does first: a connection of pika, and the printing of its outcome."""
import json
import pika


def parameters(port, **more):
    credentials = pika.PlainCredentials('guest', 'guest')
    patience = {'socket_timeout': 60, 'stack_timeout': 60}
    return pika.ConnectionParameters('127.0.0.1', int(port), '/', credentials, **patience, **more)


def connect(port, **more):
    return pika.BlockingConnection(parameters(port, **more))


PERSISTENT = pika.BasicProperties(delivery_mode=2)


def report(outcome):
    print(json.dumps(outcome))
