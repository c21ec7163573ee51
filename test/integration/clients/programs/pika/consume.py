"""consume.py PORT QUEUE COUNT: takes messages from a generator, acknowledges them, and gives back the prefetched rest."""
import sys
from session import connect, report

port, queue, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
connection = connect(port)
channel = connection.channel()
channel.basic_qos(prefetch_count=10)
seen = []
for method, properties, body in channel.consume(queue, inactivity_timeout=60):
    seen.append(body.decode())
    channel.basic_ack(method.delivery_tag)
    if len(seen) == count:
        break
channel.cancel()
connection.close()
report(seen)
