"""blocked.py PORT QUEUE: publishes until the broker blocks the connection, waits until it is unblocked, and goes on."""
import sys
from session import connect, report

port, queue = sys.argv[1], sys.argv[2]
connection = connect(port)
channel = connection.channel()
channel.queue_declare(queue, durable=True)
calls = []


def note(name):
    def callback(connection, frame):
        calls.append(name)
        print(name, flush=True)

    return callback


connection.add_on_connection_blocked_callback(note('blocked'))
connection.add_on_connection_unblocked_callback(note('unblocked'))
print('ready', flush=True)
published = 0
while 'blocked' not in calls:
    channel.basic_publish('', queue, b'x')
    published += 1
    connection.process_data_events(time_limit=0.02)
while 'unblocked' not in calls:
    connection.process_data_events(time_limit=10)
channel.basic_publish('', queue, b'x')
connection.close()
report({'calls': calls, 'published': published + 1})
